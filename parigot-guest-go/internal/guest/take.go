package guest

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// Take processes an incoming frame. The memory of the frame may be reused after Take returns. An
// error means that the frame violates the protocol.
func (g *Guest) Take(frame abi.Frame) error {
	switch frame.Kind {
	case abi.KindStart:
		return g.takeStart(&frame)
	case abi.KindLaunched:
		return g.takeLaunched(&frame)
	case abi.KindCall:
		g.takeCall(&frame)
	case abi.KindReply:
		if frame.Number == abi.LaunchNumber {
			return g.endLaunch(failureOf(&frame))
		}
		g.takeReply(frame)
	case abi.KindOpen:
		g.takeOpen(&frame)
	case abi.KindItem, abi.KindCredit, abi.KindEnd:
		return g.takeStreamFrame(&frame)
	case abi.KindCancel:
		g.takeCancel(frame.Number)
	case abi.KindStop:
		g.Stop()
	}
	return nil // ignores other kinds, which a newer host may send
}

func (g *Guest) takeStart(frame *abi.Frame) error {
	start, err := abi.ReadStart(frame)
	if err != nil {
		return err
	}
	g.start.Store(&start)
	return nil
}

func (g *Guest) takeLaunched(frame *abi.Frame) error {
	handles := make([]uint32, len(frame.Payload)/4)
	for k := range handles {
		handles[k] = binary.LittleEndian.Uint32(frame.Payload[4*k:])
	}
	methods, err := frame.Pairs()
	if err != nil {
		return err
	}
	g.mu.Lock()
	declared := g.declared
	if declared == nil || len(handles) != len(declared.Requires) || len(frame.Payload)%4 != 0 {
		g.mu.Unlock()
		return errors.New("expected a handle for each required service, after the launch request")
	}
	declared.handles, declared.methods = handles, methods
	g.mu.Unlock()
	return g.endLaunch(nil)
}

// takeOpen passes the headers of a response to the call, unless the call has ended. A second frame
// of headers is ignored.
func (g *Guest) takeOpen(frame *abi.Frame) {
	g.mu.Lock()
	reply, isOutstanding := g.calls.get(frame.Number)
	g.mu.Unlock()
	if isOutstanding {
		reply.Open(frame.Metadata)
	}
}

func (g *Guest) takeReply(frame abi.Frame) {
	g.mu.Lock()
	reply, isOutstanding := g.calls.take(frame.Number)
	g.mu.Unlock()
	if !isOutstanding { // the call was cancelled
		return
	}
	if stream := reply.Stream(); stream != nil {
		stream.close()
	}
	reply.Arrive(frame)
}

// takeStreamFrame passes an item, a credit or an end to the stream of its call, unless the call has
// ended.
func (g *Guest) takeStreamFrame(frame *abi.Frame) error {
	read, err := abi.ReadStreamFrame(frame)
	if err != nil {
		return err
	}
	if stream := g.streamOf(&read); stream != nil {
		stream.take(&read)
	}
	return nil
}

// streamOf returns the stream that the frame belongs to, or nil.
func (g *Guest) streamOf(frame *abi.StreamFrame) *Stream {
	g.mu.Lock()
	defer g.mu.Unlock()
	if frame.ToCallee {
		if in, isServed := g.inbound.get(frame.Number); isServed {
			return in.stream
		}
		return nil
	}
	if reply, isOutstanding := g.calls.get(frame.Number); isOutstanding {
		return reply.Stream()
	}
	return nil
}

func (g *Guest) takeCall(frame *abi.Frame) {
	in := &Inbound{
		guest:    g,
		number:   frame.Number,
		service:  frame.Service,
		method:   frame.Method,
		deadline: frame.DeadlineNS,
		id:       frame.ID,
		metadata: bytes.Clone(frame.Metadata),
		trace:    traceOf(frame.Metadata),
	}
	g.mu.Lock()
	isServing := g.lifecycle == serving
	declared := g.declared
	isReady := declared != nil && declared.ready
	g.inbound.put(frame.Number, in)
	g.mu.Unlock()
	switch {
	case !isServing:
		in.refuse("the service is stopping")
	case !isReady:
		in.refuse("the service is not ready yet")
	default:
		in.base = declared.base
		declared.Dispatch(in, frame.Payload)
	}
}

// takeCancel ends the context of a call's handler. The call stays in the table until the handler
// has ended, and the handler's log lines still belong to the call.
func (g *Guest) takeCancel(number uint64) {
	g.mu.Lock()
	in, isServed := g.inbound.get(number)
	g.mu.Unlock()
	if isServed { // else the call was answered meanwhile
		in.cancel()
	}
}

// failureOf reads the failure of a launch.
func failureOf(frame *abi.Frame) *Failure {
	return &Failure{
		Code:   abi.Code(frame.Status),
		Detail: abi.ReadDetail(frame.Detail),
		ID:     frame.ID,
	}
}

// Failure is the failure of a call or of a launch.
type Failure struct {
	abi.Detail
	Code abi.Code
	ID   [2]uint64 // id of the call, in its wire form
}

func (f *Failure) Error() string { return f.Code.String() + ": " + f.Message }
