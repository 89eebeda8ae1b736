package parigot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
	"google.golang.org/protobuf/proto"
)

// Channel is a connection to a required service. Any goroutine may use it.
type Channel struct {
	guest   *guest.Guest
	service *Service
	handle  uint32
}

// Locate returns the channel of a service. It returns an error if the guest does not require the
// service, or is not launched yet.
func Locate(ctx context.Context, service *Service) (*Channel, error) {
	g, err := guest.Of(ctx)
	if err != nil {
		return nil, err
	}
	const howTo = "pass the result of its generated Require function to Launch or Run"
	return locate(g, service, "", howTo)
}

// LocateNamed returns the channel of a service that is bound to a name: see [Requirement.As]. It
// returns an error if the guest does not require the service under this name, or is not launched
// yet.
func LocateNamed(ctx context.Context, service *Service, binding string) (*Channel, error) {
	g, err := guest.Of(ctx)
	if err != nil {
		return nil, err
	}
	const howTo = "pass the result of its generated Require function with As(%q) to Launch or Run"
	return locate(g, service, binding, fmt.Sprintf(howTo, binding))
}

func locate(g *guest.Guest, service *Service, binding, howTo string) (*Channel, error) {
	handle, _, err := g.Handle(service.Name, binding)
	if err != nil {
		return nil, locateError(g, service.Name, binding, howTo, err)
	}
	return &Channel{g, service, handle}, nil
}

// locateError returns the error of a service that cannot be located, with the next step.
func locateError(g *guest.Guest, service, binding, howTo string, err error) error {
	if !errors.Is(err, guest.ErrNotRequired) {
		return fmt.Errorf("%s %w", service, err)
	}
	names := g.Bindings(service)
	if len(names) == 0 {
		return fmt.Errorf("%s %w: %s", service, err, howTo)
	}
	locate := fmt.Sprintf("the function Locate…Named with %q", names[0])
	if names[0] == "" {
		locate = "the function Locate… without a name"
	}
	for index, name := range names {
		names[index] = requiredAs(name)
	}
	const text = "%s is not required %s, but %s: call %s, or %s"
	others := strings.Join(names, ", or ")
	return fmt.Errorf(text, service, requiredAs(binding), others, locate, howTo)
}

func requiredAs(binding string) string {
	if binding == "" {
		return "without a name"
	}
	return fmt.Sprintf("as %q", binding)
}

// Call sends a request immediately. The future completes with the response, which is decoded into
// the empty message out, or with an error.
//
// The call ends with ctx: the call has the deadline of ctx, and a cancellation of ctx cancels the
// call and the context of its handler. Without a deadline, the host's default applies. A request
// above the host's limit is not sent.
func Call[T proto.Message, E future.ErrorType](
	ctx context.Context, channel *Channel, method uint32, in proto.Message, out T,
) *future.Method[T, E] {
	call := &messageCall[T, E]{out: out}
	call.ctx, call.channel, call.method = ctx, channel, method
	return call.begin(proto.Size(in), &guest.Outbound{Request: in, Reply: call})
}

func deadlineNS(ctx context.Context, g *guest.Guest) uint64 {
	if deadline, ok := ctx.Deadline(); ok {
		return g.NS(deadline)
	}
	return abi.NoDeadline
}

// depthMax limits the levels of nested messages below the outermost one, as in Rust. The default of
// proto, 10,000 levels, would overflow the stack of a guest, and a sender could end the receiver.
const depthMax = 100

// decodeInto decodes into empty messages. Merge saves the reset of the message. The recursion limit
// counts the outermost message as well.
var decodeInto = proto.UnmarshalOptions{Merge: true, RecursionLimit: depthMax + 1}

// messageCall is a call with a decoded response.
type messageCall[T proto.Message, E future.ErrorType] struct {
	call[T, E]
	out T
}

// Arrive ends the call with its reply.
func (c *messageCall[T, E]) Arrive(frame abi.Frame) {
	if c.arriveFailed(&frame, c.out) {
		return
	}
	if err := decodeInto.Unmarshal(frame.Payload, c.out); err != nil {
		c.fail(undecodableResponse("the response", err, frame.ID))
		return
	}
	c.future.Complete(c.out, nil)
}

// undecodableResponse returns the error of a call with a response that cannot be decoded.
func undecodableResponse(what string, err error, call [2]uint64) *CallError {
	message := fmt.Sprintf("%s cannot be decoded: %v; %s", what, err, compareSchemas)
	return &CallError{
		Code: Internal, Cause: CauseAnswerLost, Message: message, Call: callID(call),
	}
}

// call is a call in flight, and the hooks of its future.
type call[T any, E future.ErrorType] struct {
	ctx     context.Context
	channel *Channel
	method  uint32
	number  atomic.Uint64 // 0 until the call is sent
	future  future.Method[T, E]
	headers []byte      // headers of the response, in their wire form
	stop    func() bool // stops following ctx; nil if ctx never ends
}

// begin sends a request of that size in bytes, and returns the future of the call.
func (c *call[T, E]) begin(bytes int, out *guest.Outbound) *future.Method[T, E] {
	c.future.Init(c)
	switch err := c.ctx.Err(); err {
	case nil:
	case context.DeadlineExceeded:
		const message = "the deadline passed before the call began"
		c.fail(&CallError{Code: DeadlineExceeded, Cause: CauseExpired, Message: message})
		return &c.future
	default:
		c.fail(contextError(err))
		return &c.future
	}
	if most := c.channel.guest.MessageBytesMax(); bytes > most {
		message := tooLong("request", bytes, most)
		c.fail(&CallError{Code: ResourceExhausted, Cause: CauseTooLarge, Message: message})
		return &c.future
	}
	if c.ctx.Done() != nil {
		c.stop = context.AfterFunc(c.ctx, func() { c.Interrupted() })
	}
	out.Handle, out.Method = c.channel.handle, c.method
	out.DeadlineNS = deadlineNS(c.ctx, c.channel.guest)
	out.Metadata = outgoingMetadata(c.ctx)
	if in := guest.InboundOf(c.ctx); in != nil {
		out.OnBehalfOf = in.Number()
	}
	number, err := c.channel.guest.Call(out)
	if err != nil {
		message := fmt.Sprintf("the request cannot be sent: %v", err)
		c.fail(&CallError{Code: InvalidArgument, Cause: CauseUndecodable, Message: message})
		return &c.future
	}
	c.number.Store(number)
	// The context may have ended before the number was known; then AfterFunc could not cancel.
	c.Interrupted()
	return &c.future
}

// Open keeps the headers of the response until the reply.
func (c *call[T, E]) Open(headers []byte) {
	if c.headers == nil {
		c.headers = bytes.Clone(headers)
	}
}

// Stream returns nil: the method does not stream.
func (c *call[T, E]) Stream() *guest.Stream { return nil }

// arriveFailed ends the call if the reply is a failure, and reports whether it is.
func (c *call[T, E]) arriveFailed(frame *abi.Frame, out T) bool {
	c.unfollow()
	storeResponseMetadata(c.ctx, c.headers, frame.Metadata)
	switch {
	case frame.Flags&abi.FlagServiceError != 0:
		c.future.Complete(out, ownErrorOf(E(int32(frame.Status)), abi.ReadDetail(frame.Detail)))
	case frame.Status != uint32(abi.OK):
		c.fail(callError(&guest.Failure{
			Code:   abi.Code(frame.Status),
			Detail: abi.ReadDetail(frame.Detail),
			ID:     frame.ID,
		}))
	default:
		return false
	}
	return true
}

// ownErrorOf returns the error of a reply with an error of the service's enum.
func ownErrorOf[E future.ErrorType](value E, detail abi.Detail) error {
	own := future.Error[E]{Value: value}
	if detail.Message == "" && len(detail.Details) == 0 {
		return own
	}
	return &annotatedError{
		err: own, message: detail.Message, details: detail.Details, isReceived: true,
	}
}

// Run runs the handlers of the future on a goroutine that may block.
func (c *call[T, E]) Run(handlers func()) { c.channel.guest.Do(handlers) }

// Idle ends the turn if no other goroutine can run.
func (c *call[T, E]) Idle() bool { return c.channel.guest.Idle() }

// Abandon ends the call because its future was cancelled.
func (c *call[T, E]) Abandon() { c.abandon(context.Canceled) }

// Interrupted ends the call if its context was cancelled, and reports whether the context has
// ended.
//
// At the deadline the host ends the call, since only the host knows whether the handler has begun.
func (c *call[T, E]) Interrupted() bool {
	err := c.ctx.Err()
	if _, ok := c.ctx.Deadline(); ok && err == context.DeadlineExceeded {
		return true
	}
	if err != nil {
		c.abandon(err)
	}
	return err != nil
}

// abandon cancels the call. A reply already in transit is ignored.
func (c *call[T, E]) abandon(why error) { c.abandonWith(contextError(why)) }

func (c *call[T, E]) abandonWith(err *CallError) {
	if c.channel.guest.Cancel(c.number.Load()) {
		c.fail(err)
	}
}

func (c *call[T, E]) fail(err *CallError) {
	c.unfollow()
	var none T
	c.future.Complete(none, c.named(err))
}

// named returns the error with the method that was called.
func (c *call[T, E]) named(err *CallError) *CallError {
	method := &c.channel.service.Methods[c.method]
	err.Service, err.Method = c.channel.service.Name, method.Name
	err.repeatable = method.Idempotency != IdempotencyUnknown
	return err
}

// unfollow stops following the context.
func (c *call[T, E]) unfollow() {
	if c.stop != nil {
		c.stop()
	}
}

// contextError returns the error of a call whose context has ended with why.
func contextError(why error) *CallError {
	if why == context.DeadlineExceeded {
		const message = "it was not answered in time"
		return &CallError{Code: DeadlineExceeded, Cause: CauseTimedOut, Message: message}
	}
	const message = "the caller cancelled the call"
	return &CallError{Code: Canceled, Cause: CauseCanceled, Message: message}
}
