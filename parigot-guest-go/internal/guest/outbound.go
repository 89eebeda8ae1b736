package guest

import (
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"google.golang.org/protobuf/proto"
)

// Reply is who waits for the end of a call.
type Reply interface {
	// Arrive reads the reply, which lies in memory that is used again afterwards.
	Arrive(frame abi.Frame)
}

// Outbound is a call to be made.
type Outbound struct {
	Handle     uint32 // of the service
	Method     uint32
	DeadlineNS uint64
	Metadata   []byte
	Request    proto.Message // or nil:
	Payload    []byte        // the request in its wire form
	Reply      Reply
}

// Call makes a call and returns its number.
func (g *Guest) Call(out *Outbound) (uint64, error) {
	g.mu.Lock()
	g.lastCall++
	number := g.lastCall
	g.calls.put(number, out.Reply)
	g.mu.Unlock()
	frame := abi.Frame{Header: abi.NewHeader(abi.KindCall), Metadata: out.Metadata, Payload: out.Payload}
	frame.Number, frame.Service, frame.Method, frame.DeadlineNS = number, out.Handle, out.Method, out.DeadlineNS
	if err := g.sendMessage(frame, out.Request); err != nil {
		g.forget(number)
		return 0, err
	}
	return number, nil
}

// Cancel tells the host that nobody waits for the call any more. It reports whether somebody did.
func (g *Guest) Cancel(number uint64) bool {
	if !g.forget(number) {
		return false
	}
	frame := abi.Frame{Header: abi.NewHeader(abi.KindCancel)}
	frame.Number = number
	g.send(frame)
	return true
}

func (g *Guest) forget(number uint64) bool {
	g.mu.Lock()
	_, waits := g.calls.take(number)
	g.mu.Unlock()
	return waits
}
