package guest

import (
	"context"
	"fmt"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/lock"
	"google.golang.org/protobuf/proto"
)

// Inbound is an incoming call, and also the context of its handler.
//
// The context ends when the caller cancels the call, and when the deadline has passed. The host
// sends the same frame for both, so the context needs no timer.
type Inbound struct {
	guest           *Guest
	number          uint64
	service, method uint32
	deadline        uint64
	id              [2]uint64
	metadata        []byte
	trace           string          // trace context of the call, as metadata
	base            context.Context // source of the context's values
	request         proto.Message
	serve           func(*Inbound, proto.Message)
	stream          *Stream // nil if the method does not stream

	mu       lock.Mutex
	headers  []byte // of the response, in their wire form
	trailers []byte
	err      error
	done     chan struct{} // created by the first call of Done
	after    map[*func()]struct{}
}

type inboundKey struct{}

// InboundOf returns the incoming call that the context belongs to, or nil.
func InboundOf(ctx context.Context) *Inbound {
	in, _ := ctx.Value(inboundKey{}).(*Inbound)
	return in
}

// Guest returns the guest that serves the call.
func (in *Inbound) Guest() *Guest { return in.guest }

// Number returns the number that the host assigned to the call.
func (in *Inbound) Number() uint64 { return in.number }

// Service returns the index of the service among the exports.
func (in *Inbound) Service() int { return int(in.service) }

// Method returns the index of the method in the service.
func (in *Inbound) Method() int { return int(in.method) }

// ID returns the id of the call, in its wire form.
func (in *Inbound) ID() [2]uint64 { return in.id }

// Metadata returns the value of a key in the metadata of the call; the first of several.
func (in *Inbound) Metadata(key string) (value string, ok bool) { return valueOf(in.metadata, key) }

// MetadataBytes returns the metadata of the call, in its wire form.
func (in *Inbound) MetadataBytes() []byte { return in.metadata }

// Trace returns the trace context of the call as metadata, or an empty text if there is none.
func (in *Inbound) Trace() string { return in.trace }

// OpenStream makes the call one that streams. It is called before the call is served: frames of the
// stream may follow in the same turn.
func (in *Inbound) OpenStream() { in.stream = newStream(in.guest, in) }

// Stream returns the stream of the call, or nil if the method does not stream.
func (in *Inbound) Stream() *Stream { return in.stream }

// Serve runs serve on a goroutine that may block, unless the call is cancelled or its deadline
// passes before the goroutine starts.
func (in *Inbound) Serve(request proto.Message, serve func(*Inbound, proto.Message)) {
	in.request, in.serve = request, serve
	in.guest.do(in)
}

// run is the task of the call.
func (in *Inbound) run() {
	if in.Err() != nil {
		const message = "the caller cancelled the call"
		in.Fail(abi.Canceled, abi.Detail{Cause: abi.CauseCanceled, Message: message})
		return
	}
	if in.isTooLate() {
		const message = "the deadline passed before the call began"
		in.Fail(abi.DeadlineExceeded, abi.Detail{Cause: abi.CauseExpired, Message: message})
		return
	}
	in.guest.outbox.Begin(in.number)
	in.ShowProgress()
	in.serve(in, in.request)
	in.guest.progress(abi.NoCall, 0, 0)
}

// exit answers a call whose handler has ended its goroutine.
func (in *Inbound) exit() {
	in.Fail(abi.Internal, abi.Detail{Cause: abi.CauseAnswered, Message: HandlerExited})
	in.guest.progress(abi.NoCall, 0, 0)
}

// HandlerExited is the text of a failure because a handler has ended its goroutine.
const HandlerExited = "the handler ended its goroutine: " +
	"it called runtime.Goexit, or Fatal or FailNow of package testing"

// panics makes the host name this call as the cause. The call that began last may be another one,
// if this one has blocked meanwhile.
func (in *Inbound) panics() { in.ShowProgress() }

// ShowProgress reports to the host that the call is served from now on.
func (in *Inbound) ShowProgress() { in.guest.progress(in.number, in.service, in.method) }

// Deadline returns the time at which the caller stops waiting.
func (in *Inbound) Deadline() (time.Time, bool) {
	if in.deadline == abi.NoDeadline {
		return time.Time{}, false
	}
	return in.guest.Time(in.deadline), true
}

// isTooLate reports whether the deadline has passed.
func (in *Inbound) isTooLate() bool { return in.deadline <= in.guest.Clock() }

// Done returns a channel that is closed when the caller no longer waits for the response.
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

// Err returns the reason why the caller no longer waits, or nil.
func (in *Inbound) Err() error {
	in.mu.Lock()
	err := in.err
	in.mu.Unlock()
	return err
}

// Value returns the call and its guest for their keys, else the value of the guest's context.
func (in *Inbound) Value(name any) any {
	switch name.(type) {
	case inboundKey:
		return in
	case key:
		return in.guest
	}
	return in.base.Value(name)
}

// AfterFunc runs f in a goroutine when the context ends. Package context calls this method, and
// needs no goroutine per derived context then.
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
		_, isWaiting := in.after[&f]
		delete(in.after, &f)
		return isWaiting
	}
}

// cancel ends the context, and then the stream: a goroutine that waits for the stream finds out why
// the stream has ended.
func (in *Inbound) cancel() {
	in.endContext()
	if in.stream != nil {
		in.stream.discard()
	}
}

func (in *Inbound) endContext() {
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

// take removes the call from the guest, and reports whether the call was not answered before. It
// closes the stream, so that no item follows the reply.
func (in *Inbound) take() bool {
	if in.stream != nil {
		in.stream.close()
	}
	g := in.guest
	g.mu.Lock()
	_, isUnanswered := g.inbound.take(in.number)
	if g.lifecycle == stopping {
		g.unanswered.Broadcast()
	}
	g.mu.Unlock()
	return isUnanswered
}

// AddHeader adds a header to the response. It reports false if the headers are sent already, since
// the stream of responses has begun.
func (in *Inbound) AddHeader(key, value string) bool {
	if in.stream != nil && in.stream.hasOpened() {
		return false
	}
	in.mu.Lock()
	in.headers = abi.AppendPair(in.headers, key, value)
	in.mu.Unlock()
	return true
}

// takeHeaders returns the headers that were added, once.
func (in *Inbound) takeHeaders() []byte {
	in.mu.Lock()
	headers := in.headers
	in.headers = nil
	in.mu.Unlock()
	return headers
}

// AddTrailer adds a trailer to the response.
func (in *Inbound) AddTrailer(key, value string) {
	in.mu.Lock()
	in.trailers = abi.AppendPair(in.trailers, key, value)
	in.mu.Unlock()
}

// Respond answers with a message, or with a failure if the message cannot be encoded. The message
// must not exceed the host's limit. Without a message, the response is empty.
func (in *Inbound) Respond(message proto.Message) {
	if !in.take() {
		return
	}
	reply := in.open()
	if err := in.guest.sendMessage(reply, message); err != nil {
		text := fmt.Sprintf("the response cannot be sent: %v", err)
		detail := abi.Detail{Cause: abi.CauseAnswerLost, Message: text}
		in.sendFailure(reply, abi.Internal, detail)
	}
}

// FailOwn answers with an error of the service's enum. A detail without message and without details
// for programs is not sent.
func (in *Inbound) FailOwn(number int32, detail abi.Detail) {
	if !in.take() {
		return
	}
	reply := in.open()
	reply.Flags, reply.Status = abi.FlagServiceError, uint32(number)
	if detail.Message != "" || len(detail.Details) > 0 {
		reply.Detail = detail.Append(nil)
	}
	in.guest.send(reply)
}

// Fail answers with a status.
func (in *Inbound) Fail(code abi.Code, detail abi.Detail) {
	if in.take() {
		in.sendFailure(in.open(), code, detail)
	}
}

// refuse answers that the guest cannot serve the call.
func (in *Inbound) refuse(why string) {
	in.Fail(abi.Unavailable, abi.Detail{Cause: abi.CauseUnreachable, Message: why})
}

func (in *Inbound) sendFailure(reply abi.Frame, code abi.Code, detail abi.Detail) {
	reply.Status = uint32(code)
	reply.Detail = detail.Append(nil)
	in.guest.send(reply)
}

// open sends the headers of the response, if there are any, and returns the frame of the reply with
// the trailers.
func (in *Inbound) open() abi.Frame {
	in.mu.Lock()
	headers, trailers := in.headers, in.trailers
	in.mu.Unlock()
	// A header may have been added while another goroutine sent the first item.
	if len(headers) > 0 && (in.stream == nil || !in.stream.hasOpened()) {
		open := abi.Frame{Header: abi.NewHeader(abi.KindOpen), Metadata: headers}
		open.Number = in.number
		in.guest.send(open)
	}
	reply := abi.Frame{Header: abi.NewHeader(abi.KindReply), Metadata: trailers}
	reply.Number = in.number
	return reply
}
