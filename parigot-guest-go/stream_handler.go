package parigot

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
	"google.golang.org/protobuf/proto"
)

// HandleServerStream returns a handler of a method whose responses stream. The stream ends with
// serve: completely if serve returns nil, else with the error.
//
// The context of serve has the call's deadline, and ends when the caller no longer waits.
func HandleServerStream[I, O proto.Message, E future.ErrorType](
	newRequest func() I, serve func(context.Context, I, Sender[O]) error,
) Handler {
	serveAndAnswer := func(in *guest.Inbound, request proto.Message) {
		answerStream[E](in, nil, serve(in, request.(I), responses[O]{in}))
	}
	return func(in *guest.Inbound, request []byte) {
		decoded := newRequest()
		if decodeRequest(in, request, decoded) {
			in.OpenStream()
			in.Serve(decoded, serveAndAnswer)
		}
	}
}

// HandleClientStream returns a handler of a method whose requests stream. Each request is decoded
// into an empty message of newRequest. See [HandleServerStream] for the context of serve.
func HandleClientStream[I, O proto.Message, E future.ErrorType](
	newRequest func() I, serve func(context.Context, Receiver[I]) (O, error),
) Handler {
	serveAndAnswer := func(in *guest.Inbound, _ proto.Message) {
		response, err := serve(in, &requests[I]{in: in, newRequest: newRequest})
		answerStream[E](in, response, err)
	}
	return handleStream(serveAndAnswer)
}

// HandleBidiStream returns a handler of a method that streams in both directions. See
// [HandleServerStream] and [HandleClientStream].
func HandleBidiStream[I, O proto.Message, E future.ErrorType](
	newRequest func() I, serve func(context.Context, Receiver[I], Sender[O]) error,
) Handler {
	serveAndAnswer := func(in *guest.Inbound, _ proto.Message) {
		err := serve(in, &requests[I]{in: in, newRequest: newRequest}, responses[O]{in})
		answerStream[E](in, nil, err)
	}
	return handleStream(serveAndAnswer)
}

func handleStream(serveAndAnswer func(*guest.Inbound, proto.Message)) Handler {
	return func(in *guest.Inbound, _ []byte) {
		in.OpenStream()
		in.Serve(nil, serveAndAnswer)
	}
}

// answerStream answers a call whose handler has returned. The response is nil if responses stream.
func answerStream[E future.ErrorType](in *guest.Inbound, response proto.Message, err error) {
	if failure := in.Stream().Failure(); failure != nil {
		in.Fail(failure.Code, failure.Detail)
		return
	}
	response, err = future.Done[proto.Message, E](response, err).Await(in)
	if err == nil && response == nil {
		in.Respond(nil)
		return
	}
	answer[E](in, response, err)
}

// responses is the stream of responses in a handler.
type responses[T proto.Message] struct{ in *guest.Inbound }

// Send sends a response: see [Sender].
func (r responses[T]) Send(response T) error {
	bytes := proto.Size(response)
	if most := r.in.Guest().MessageBytesMax(); bytes > most {
		return r.fail(abi.ResourceExhausted, tooLong("response", bytes, most))
	}
	switch err := r.in.Stream().Send(response, bytes); err {
	case nil:
		return nil
	case guest.ErrClosed:
		return r.closed()
	default:
		return r.fail(abi.Internal, fmt.Sprintf("the response cannot be sent: %v", err))
	}
}

// fail makes the call fail because of a response that cannot be sent.
func (r responses[T]) fail(code abi.Code, message string) error {
	detail := abi.Detail{Cause: abi.CauseAnswerLost, Message: message}
	r.in.Stream().Fail(&guest.Failure{Code: code, Detail: detail})
	return r.closed()
}

// closed returns the reason why no response can be sent.
func (r responses[T]) closed() error {
	if failure := r.in.Stream().Failure(); failure != nil {
		return callError(failure)
	}
	return closedStream(r.in)
}

// closedStream returns the error of a stream that was closed before its end.
func closedStream(in *guest.Inbound) error {
	switch in.Err() {
	case context.DeadlineExceeded:
		return &CallError{Code: DeadlineExceeded, Message: "the deadline of the call has passed"}
	case context.Canceled:
		return &CallError{Code: Canceled, Message: "the caller has cancelled the call"}
	}
	return &CallError{Code: Canceled, Message: guest.ErrClosed.Error()}
}

// requests is the stream of requests in a handler.
type requests[T proto.Message] struct {
	in          *guest.Inbound
	newRequest  func() T
	undecodable error // set once a request cannot be decoded
}

// Recv returns the next request: see [Receiver].
func (r *requests[T]) Recv() (T, error) {
	var none T
	if r.undecodable != nil {
		return none, r.undecodable
	}
	item, ok := r.in.Stream().Next()
	switch {
	case ok:
	case r.in.Stream().IsComplete():
		return none, io.EOF
	default:
		return none, closedStream(r.in)
	}
	request := r.newRequest()
	if err := decodeInto.Unmarshal(item, request); err != nil {
		const text = "a request of the stream cannot be decoded: %v; %s"
		message := fmt.Sprintf(text, err, compareSchemas)
		r.undecodable = &CallError{Code: InvalidArgument, Message: message}
		return none, r.undecodable
	}
	return request, nil
}

// All returns the remaining requests: see [Receiver].
func (r *requests[T]) All() iter.Seq2[T, error] { return all(r.Recv, func() {}) }
