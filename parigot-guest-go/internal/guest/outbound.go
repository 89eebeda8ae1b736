package guest

import (
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"google.golang.org/protobuf/proto"
)

// Reply receives the end of a call.
type Reply interface {
	// Open reads the headers of the response, in their wire form. It is called at most once, before
	// Arrive. The memory is reused after Open returns.
	Open(headers []byte)
	// Arrive reads the reply. The memory of the frame is reused after Arrive returns.
	Arrive(frame abi.Frame)
	// Stream returns the stream of the call, or nil if the method does not stream.
	Stream() *Stream
}

// Outbound is an outgoing call. The request is either a message or, if Request is nil, a payload.
type Outbound struct {
	Handle     uint32 // handle of the service
	Method     uint32
	DeadlineNS uint64
	OnBehalfOf uint64 // number of the inbound call that the call is made for, or 0
	Metadata   []byte
	Request    proto.Message // nil if Payload is the request
	Payload    []byte        // the request in its wire form
	Reply      Reply
}

// Call sends a call and returns its number. It returns an error if the request cannot be encoded.
func (g *Guest) Call(out *Outbound) (uint64, error) {
	g.mu.Lock()
	g.lastCall++
	number := g.lastCall
	g.calls.put(number, out.Reply)
	g.mu.Unlock()
	header := abi.Header{
		Kind:       abi.KindCall,
		Number:     number,
		Service:    out.Handle,
		Method:     out.Method,
		DeadlineNS: out.DeadlineNS,
		ID:         [2]uint64{0, out.OnBehalfOf},
	}
	frame := abi.Frame{Header: header, Metadata: out.Metadata, Payload: out.Payload}
	if err := g.sendMessage(frame, out.Request); err != nil {
		g.forget(number)
		return 0, err
	}
	return number, nil
}

// Cancel cancels an outgoing call. It reports whether the call was still outstanding.
func (g *Guest) Cancel(number uint64) bool {
	if !g.forget(number) {
		return false
	}
	frame := abi.Frame{Header: abi.NewHeader(abi.KindCancel)}
	frame.Number = number
	g.send(frame)
	return true
}

// forget removes an outgoing call, and closes its stream. It reports whether the call was still
// outstanding.
func (g *Guest) forget(number uint64) bool {
	g.mu.Lock()
	reply, isOutstanding := g.calls.take(number)
	g.mu.Unlock()
	if !isOutstanding {
		return false
	}
	if stream := reply.Stream(); stream != nil {
		stream.discard()
	}
	return true
}
