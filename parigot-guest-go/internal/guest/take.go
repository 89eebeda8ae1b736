package guest

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// Take takes in a frame that has arrived. What the frame bears is read before it returns. An error says that no host sends such a frame.
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
	case abi.KindCancel:
		g.takeCancel(frame.Number)
	case abi.KindStop:
		g.Stop()
	}
	return nil // other kinds are a newer host's
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
		return errors.New("expected a handle for each required service, after the guest has asked for them")
	}
	declared.handles, declared.methods = handles, methods
	g.mu.Unlock()
	return g.endLaunch(nil)
}

func (g *Guest) takeReply(frame abi.Frame) {
	g.mu.Lock()
	reply, waits := g.calls.take(frame.Number)
	g.mu.Unlock()
	if waits { // else nobody waits for it any more
		reply.Arrive(frame)
	}
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
	isStaying, declared := g.presence == staying, g.declared
	isReady := declared != nil && declared.ready
	g.inbound.put(frame.Number, in)
	g.mu.Unlock()
	switch {
	case !isStaying:
		in.Fail(abi.Unavailable, abi.CauseUnreachable, "the service is stopping")
	case !isReady:
		in.Fail(abi.Unavailable, abi.CauseUnreachable, "the service is not ready yet")
	default:
		in.base = declared.base
		declared.Dispatch(in, frame.Payload)
	}
}

// takeCancel ends the context of the call's handler. The call counts as being served until the handler has ended, and so do the lines that it logs.
func (g *Guest) takeCancel(number uint64) {
	g.mu.Lock()
	in, isServed := g.inbound.get(number)
	g.mu.Unlock()
	if isServed { // else it was answered meanwhile
		in.cancel()
	}
}

// failureOf reads how a launch has failed.
func failureOf(frame *abi.Frame) *Failure {
	return &Failure{Code: abi.Code(frame.Status), Detail: abi.ReadDetail(frame.Detail), ID: frame.ID}
}

// Failure is a call, or a launch, without an answer.
type Failure struct {
	abi.Detail
	Code abi.Code
	ID   [2]uint64 // of the call, in its wire form
}

func (f *Failure) Error() string { return f.Code.String() + ": " + f.Message }
