package idpb_test

import (
	"testing"

	"github.com/parigot/parigot/parigot-guest-go/id"
	"github.com/parigot/parigot/parigot-guest-go/idpb"
)

func TestIDsPassThroughMessages(t *testing.T) {
	call := id.New[id.Call]()
	if got, err := idpb.As[id.Call](idpb.New(call)); err != nil || got != call {
		t.Errorf("%v became %v, %v", call, got, err)
	}
	if got, err := idpb.As[id.Call](nil); err != nil || !got.IsEmpty() {
		t.Errorf("an unset field became %v, %v", got, err)
	}
	if got, err := idpb.As[id.Service](idpb.New(call)); err == nil {
		t.Errorf("a call id became the service id %v", got)
	}
}
