package idpb_test

import (
	"errors"
	"testing"

	"github.com/parigot/parigot/parigot-guest-go/id"
	"github.com/parigot/parigot/parigot-guest-go/idpb"
)

func TestIDsPassThroughMessages(t *testing.T) {
	call := id.New[id.Call]()
	if got, err := idpb.As[id.Call](idpb.New(call)); err != nil || got != call {
		t.Errorf("%v became %v, %v", call, got, err)
	}
	if got, err := idpb.As[id.Service](idpb.New(call)); err == nil {
		t.Errorf("a call id became the service id %v", got)
	}
	empty := id.CallID{}
	if got, err := idpb.As[id.Call](idpb.New(empty)); err != nil || !got.IsEmpty() {
		t.Errorf("the empty id became %v, %v", got, err)
	}
}

func TestMissingIDsAreErrors(t *testing.T) {
	for _, message := range []*idpb.Id{nil, {}} {
		got, err := idpb.As[id.Call](message)
		missing, ok := errors.AsType[id.MissingError](err)
		if !ok || missing.Error() != "no CallID: the id is missing" {
			t.Errorf("%v became %v, %v", message, got, err)
		}
	}
}
