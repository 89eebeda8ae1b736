package parigot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
	"google.golang.org/protobuf/proto"
)

// CallServerStream sends a request immediately, and returns the stream of responses. Each response
// is decoded into an empty message of newResponse.
//
// The call ends with ctx, as for [Call]: the deadline of ctx covers the whole stream.
func CallServerStream[O proto.Message, E future.ErrorType](
	ctx context.Context, channel *Channel, method uint32, in proto.Message, newResponse func() O,
) ResponseStream[O] {
	out := &guest.Outbound{Request: in}
	return beginStream[proto.Message, O, E](ctx, channel, method, proto.Size(in), out, newResponse)
}

// CallClientStream begins a call whose requests stream. See [CallServerStream] for its end.
func CallClientStream[I, O proto.Message, E future.ErrorType](
	ctx context.Context, channel *Channel, method uint32, newResponse func() O,
) ClientStream[I, O] {
	return beginStream[I, O, E](ctx, channel, method, 0, &guest.Outbound{}, newResponse)
}

// CallBidiStream begins a call that streams in both directions. See [CallServerStream] for its end.
func CallBidiStream[I, O proto.Message, E future.ErrorType](
	ctx context.Context, channel *Channel, method uint32, newResponse func() O,
) BidiStream[I, O] {
	return beginStream[I, O, E](ctx, channel, method, 0, &guest.Outbound{}, newResponse)
}

func beginStream[I, O proto.Message, E future.ErrorType](
	ctx context.Context, channel *Channel, method uint32, bytes int, out *guest.Outbound,
	newResponse func() O,
) *streamCall[I, O, E] {
	c := newStreamCall[I, O, E](ctx, channel, newResponse)
	c.method = method
	out.Reply = c
	c.begin(bytes, out)
	c.stream.Begin(c.number.Load())
	return c
}

func newStreamCall[I, O proto.Message, E future.ErrorType](
	ctx context.Context, channel *Channel, newResponse func() O,
) *streamCall[I, O, E] {
	c := &streamCall[I, O, E]{newResponse: newResponse, stream: guest.NewStream(channel.guest)}
	c.ctx, c.channel = ctx, channel
	return c
}

// streamCall is a call in flight that streams. Its future completes with the reply: with the
// response if only requests stream, else without one.
type streamCall[I, O proto.Message, E future.ErrorType] struct {
	call[O, E]
	newResponse func() O
	stream      *guest.Stream
	undecodable error // set once a response of the stream cannot be decoded
}

// Stream returns the stream of the call.
func (c *streamCall[I, O, E]) Stream() *guest.Stream { return c.stream }

// Arrive ends the call with its reply.
func (c *streamCall[I, O, E]) Arrive(frame abi.Frame) {
	var response O
	if c.arriveFailed(&frame, response) {
		return
	}
	if !c.channel.service.Methods[c.method].StreamsResponses {
		response = c.newResponse()
		if err := decodeInto.Unmarshal(frame.Payload, response); err != nil {
			c.fail(undecodableResponse("the response", err, frame.ID))
			return
		}
	}
	c.future.Complete(response, nil)
}

// Send sends a request: see [Sender].
func (c *streamCall[I, O, E]) Send(request I) error {
	c.Interrupted() // the context may have ended just now
	bytes := proto.Size(request)
	if most := c.channel.guest.MessageBytesMax(); bytes > most {
		return c.cancelWith(ResourceExhausted, tooLong("request", bytes, most))
	}
	switch err := c.stream.Send(request, bytes); err {
	case nil:
		return nil
	case guest.ErrClosed:
		return c.end()
	case guest.ErrFinished:
		return errFinished
	default:
		return c.cancelWith(InvalidArgument, fmt.Sprintf("the request cannot be sent: %v", err))
	}
}

var errFinished = errors.New("parigot: Send called after the end of the requests")

// cancelWith cancels the call because of a request that cannot be sent. The call may have run, so
// its fate is unknown.
func (c *streamCall[I, O, E]) cancelWith(code Code, message string) error {
	c.abandonWith(&CallError{Code: code, Cause: CauseCanceled, Message: message})
	return c.end()
}

// end waits for the end of the call, and returns its error: [io.EOF] after a success.
func (c *streamCall[I, O, E]) end() error {
	if _, err := c.future.Await(c.ctx); err != nil {
		return err
	}
	return io.EOF
}

// CloseSend ends the requests.
func (c *streamCall[I, O, E]) CloseSend() {
	c.Interrupted()
	c.stream.Finish()
}

// CloseAndRecv ends the requests, and returns the response.
func (c *streamCall[I, O, E]) CloseAndRecv() (O, error) {
	c.CloseSend()
	return c.future.Await(c.ctx)
}

// Recv returns the next response: see [Receiver].
func (c *streamCall[I, O, E]) Recv() (O, error) {
	var none O
	if c.undecodable != nil {
		return none, c.undecodable
	}
	c.Interrupted()
	item, ok := c.stream.Next()
	if !ok {
		return none, c.end()
	}
	response := c.newResponse()
	if err := decodeInto.Unmarshal(item, response); err != nil {
		failure := undecodableResponse("a response of the stream", err, [2]uint64{})
		c.undecodable = c.named(failure)
		c.abandonWith(failure)
		return none, c.undecodable
	}
	return response, nil
}

// All returns the remaining responses: see [Receiver].
func (c *streamCall[I, O, E]) All() iter.Seq2[O, error] { return all(c.Recv, c.Cancel) }

// Cancel cancels the call: see [Canceler].
func (c *streamCall[I, O, E]) Cancel() { c.future.Cancel() }
