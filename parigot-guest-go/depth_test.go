package parigot

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// nested returns an encoded message with levels of messages below it.
func nested(t *testing.T, levels int) []byte {
	t.Helper()
	// A list and its value are a level each.
	list := &structpb.ListValue{}
	for level := 2; level <= levels; level += 2 {
		list = &structpb.ListValue{Values: []*structpb.Value{structpb.NewListValue(list)}}
	}
	encoded, err := proto.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestMessagesNestedTooDeepAreRefused(t *testing.T) {
	if err := decodeInto.Unmarshal(nested(t, depthMax), &structpb.ListValue{}); err != nil {
		t.Errorf("%d levels: %v", depthMax, err)
	}
	if err := decodeInto.Unmarshal(nested(t, depthMax+2), &structpb.ListValue{}); err == nil {
		t.Errorf("%d levels were decoded", depthMax+2)
	}
}

func TestDetailsNestedTooDeepAreLeftOut(t *testing.T) {
	detail := func(levels int) error {
		list := &structpb.ListValue{}
		if err := proto.Unmarshal(nested(t, levels), list); err != nil {
			t.Fatal(err)
		}
		return WithDetail(errors.New("deep"), list)
	}
	if found := DetailsOf[*structpb.ListValue](detail(depthMax)); len(found) != 1 {
		t.Errorf("%d levels: %d details", depthMax, len(found))
	}
	if found := DetailsOf[*structpb.ListValue](detail(depthMax + 2)); len(found) != 0 {
		t.Errorf("%d levels: %d details", depthMax+2, len(found))
	}
}
