package guest

import (
	"testing"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"google.golang.org/protobuf/proto"
)

// sent is an outbox that records the frames of a guest.
type sent []abi.Frame

func (s *sent) Send(frame abi.Frame, _ proto.Message) error {
	*s = append(*s, frame)
	return nil
}

func (*sent) Progress(uint64, uint32, uint32) {}

func (*sent) Begin(uint64) {}

func TestCallPastItsDeadlineDoesNotStart(t *testing.T) {
	for deadline, starts := range map[time.Duration]bool{time.Minute: false, 2 * time.Hour: true} {
		var frames sent
		g := New(&frames, time.Now().Add(-time.Hour))
		in := &Inbound{guest: g, number: 1, deadline: uint64(deadline)}
		g.inbound.put(1, in)
		started := false
		in.serve = func(*Inbound, proto.Message) { started = true }
		in.run()
		if started != starts {
			t.Errorf("deadline %v of a guest that is an hour old: started %v", deadline, started)
		}
		if starts {
			continue
		}
		if len(frames) != 1 || abi.Code(frames[0].Status) != abi.DeadlineExceeded {
			t.Errorf("the reply is %+v", frames)
		}
		if cause := abi.ReadDetail(frames[0].Detail).Cause; cause != abi.CauseExpired {
			t.Errorf("the cause is %v", cause)
		}
	}
}
