package guest

import (
	"context"
	"fmt"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/lock"
	"google.golang.org/protobuf/proto"
)

// Inbound is a call that has arrived. It is also the context of its handler: it ends when the caller cancels the call, and when its
// deadline has passed, which the host tells in the same way. So it needs no timer of its own.
type Inbound struct {
	guest           *Guest
	number          uint64
	service, method uint32
	deadline        uint64
	id              [2]uint64
	metadata, trace []byte
	base            context.Context // of the values
	request         proto.Message
	serve           func(*Inbound, proto.Message)

	mu    lock.Mutex
	err   error
	done  chan struct{} // made for whoever waits
	after map[*func()]struct{}
}

type inboundKey struct{}

// InboundOf returns the call for which the context's owner works, or nil.
func InboundOf(ctx context.Context) *Inbound {
	in, _ := ctx.Value(inboundKey{}).(*Inbound)
	return in
}

// Guest returns the guest that serves it.
func (in *Inbound) Guest() *Guest { return in.guest }

// Number returns the number that the host gave it.
func (in *Inbound) Number() uint64 { return in.number }

// Service returns the place of its service among the exports.
func (in *Inbound) Service() int { return int(in.service) }

// Method returns the place of its method in the service.
func (in *Inbound) Method() int { return int(in.method) }

// ID returns its id, in its wire form.
func (in *Inbound) ID() [2]uint64 { return in.id }

// Metadata returns the value of a key that came with it; the first, if there are two.
func (in *Inbound) Metadata(key string) (value string, ok bool) { return valueOf(in.metadata, key) }

// Trace returns the trace context that came with it, as metadata; nil if there was none.
func (in *Inbound) Trace() []byte { return in.trace }

// Serve lets a request be served on a goroutine that may block, unless the call is cancelled before that begins, or its deadline passes.
func (in *Inbound) Serve(request proto.Message, serve func(*Inbound, proto.Message)) {
	in.request, in.serve = request, serve
	in.guest.do(in)
}

// run is the task of serving it.
func (in *Inbound) run() {
	if in.Err() != nil {
		in.Fail(abi.Canceled, abi.CauseCanceled, "the caller cancelled the call")
		return
	}
	if in.isTooLate() {
		in.Fail(abi.DeadlineExceeded, abi.CauseTimedOut, "its deadline had passed before it was begun")
		return
	}
	in.ShowProgress()
	in.serve(in, in.request)
	in.guest.progress(abi.NoCall, 0, 0)
}

// ShowProgress tells the host that the call is being served from now on.
func (in *Inbound) ShowProgress() { in.guest.progress(in.number, in.service, in.method) }

// Deadline returns when the caller stops waiting.
func (in *Inbound) Deadline() (time.Time, bool) {
	if in.deadline == abi.NoDeadline {
		return time.Time{}, false
	}
	return in.guest.Time(in.deadline), true
}

// isTooLate reports whether the caller has stopped waiting.
func (in *Inbound) isTooLate() bool { return in.deadline <= in.guest.Clock() }

// Done returns what is closed when nobody waits for the answer any more.
func (in *Inbound) Done() <-chan struct{} {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.done == nil {
		in.done = make(chan struct{})
		if in.err != nil {
			close(in.done)
		}
	}
	return in.done
}

// Err says why nobody waits any more.
func (in *Inbound) Err() error {
	in.mu.Lock()
	err := in.err
	in.mu.Unlock()
	return err
}

// Value looks at the call, then at the context with which the guest was run.
func (in *Inbound) Value(name any) any {
	switch name.(type) {
	case inboundKey:
		return in
	case key:
		return in.guest
	}
	return in.base.Value(name)
}

// AfterFunc runs f in a goroutine when the context ends: package context uses it.
func (in *Inbound) AfterFunc(f func()) (stop func() bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err != nil {
		go f()
		return func() bool { return false }
	}
	if in.after == nil {
		in.after = map[*func()]struct{}{}
	}
	in.after[&f] = struct{}{}
	return func() bool {
		in.mu.Lock()
		defer in.mu.Unlock()
		_, waits := in.after[&f]
		delete(in.after, &f)
		return waits
	}
}

// cancel ends the context.
func (in *Inbound) cancel() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err != nil {
		return
	}
	in.err = context.Canceled
	if in.isTooLate() {
		in.err = context.DeadlineExceeded
	}
	if in.done != nil {
		close(in.done)
	}
	for f := range in.after {
		go (*f)()
	}
	in.after = nil
}

// take ends the call for the guest, and reports whether it is still to be answered.
func (in *Inbound) take() bool {
	g := in.guest
	g.mu.Lock()
	_, waits := g.inbound.take(in.number)
	if g.presence == stopping {
		g.unanswered.Broadcast()
	}
	g.mu.Unlock()
	return waits
}

// Respond answers with a message that is not longer than the host lets through, or with why that cannot be encoded.
func (in *Inbound) Respond(message proto.Message) {
	if !in.take() {
		return
	}
	if err := in.guest.sendMessage(in.reply(), message); err != nil {
		in.sendFailure(abi.Internal, abi.CauseAnswerLost, fmt.Sprintf("the response cannot be sent: %v", err))
	}
}

// FailOwn answers with an error of the service's own.
func (in *Inbound) FailOwn(number int32) {
	if !in.take() {
		return
	}
	frame := in.reply()
	frame.Flags, frame.Status = abi.FlagServiceError, uint32(number)
	in.guest.send(frame)
}

// Fail answers that there is no answer.
func (in *Inbound) Fail(code abi.Code, cause abi.Cause, message string) {
	if in.take() {
		in.sendFailure(code, cause, message)
	}
}

func (in *Inbound) sendFailure(code abi.Code, cause abi.Cause, message string) {
	frame := in.reply()
	frame.Status = uint32(code)
	frame.Detail = abi.Detail{Cause: cause, Message: cut(message, in.guest.MessageBytesMax())}.Append(nil)
	in.guest.send(frame)
}

func (in *Inbound) reply() abi.Frame {
	frame := abi.Frame{Header: abi.NewHeader(abi.KindReply)}
	frame.Number = in.number
	return frame
}
