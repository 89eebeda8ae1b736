package parigot

import (
	"context"
	"fmt"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
	"google.golang.org/protobuf/proto"
)

// Export is a service that a guest exports, and what implements it. The generator makes it of an implementation.
type Export struct {
	Service *Service
	// Ready is called once, after the launch and before the first call, when all that the guest requires can be called. The guest serves
	// once the value is true; false ends it. Without Ready it serves at once.
	Ready    func(context.Context) *future.Base[bool]
	Handlers []Handler // by the places of the methods
}

// ReadyAtOnce is a part of services that need nothing to become ready:
//
//	type greeter struct{ parigot.ReadyAtOnce }
type ReadyAtOnce struct{}

// Ready returns a future that is complete.
func (ReadyAtOnce) Ready(context.Context) *future.Base[bool] { return future.NewBaseWithValue(true) }

// Handler serves one method: see [Handle].
type Handler func(in *guest.Inbound, request []byte)

// Handle returns the handler that decodes a request into the empty message that newRequest returns, lets serve answer it, and replies when
// the future completes.
//
// The context that serve gets ends when the caller does not wait any more, and has the call's deadline. The future is cancelled then.
func Handle[I, O proto.Message, E future.ErrorType](
	newRequest func() I, serve func(context.Context, I) *future.Method[O, E],
) Handler {
	serveAndAnswer := func(in *guest.Inbound, request proto.Message) {
		method := serve(in, request.(I))
		if method == nil {
			in.Fail(abi.Internal, abi.CauseAnswered, "the service returned no future")
			return
		}
		if method.Completed() {
			response, err := method.Await(in)
			answer[E](in, response, err)
			return
		}
		stop := context.AfterFunc(in, method.Cancel)
		method.Success(func(response O) {
			stop()
			answer[E](in, response, nil)
		})
		method.Failure(func(err error) {
			stop()
			answer[E](in, nil, err)
		})
	}
	return func(in *guest.Inbound, request []byte) {
		decoded := newRequest()
		if err := decodeInto.Unmarshal(request, decoded); err != nil {
			in.Fail(abi.InvalidArgument, abi.CauseUndecodable, fmt.Sprintf("the request cannot be decoded: %v", err))
			return
		}
		in.Serve(decoded, serveAndAnswer)
	}
}

func answer[E future.ErrorType](in *guest.Inbound, response proto.Message, err error) {
	if err != nil {
		respondError[E](in, err)
	} else {
		respond(in, response)
	}
}

func respond(in *guest.Inbound, response proto.Message) {
	if bytes, most := proto.Size(response), in.Guest().MessageBytesMax(); bytes > most {
		in.Fail(abi.ResourceExhausted, abi.CauseAnswerLost, tooLong(bytes, most))
		return
	}
	in.Respond(response)
}

// respondError answers with an error of the service's own, or with a status.
func respondError[E future.ErrorType](in *guest.Inbound, err error) {
	own, isOwn := err.(future.Error[E])
	switch code := any(own.Value).(type) {
	case Code: // the service has no enum
		if isOwn {
			err = code
		}
	default:
		if isOwn {
			in.FailOwn(own.Number())
			return
		}
	}
	fail(in, statusOf(err))
}

func fail(in *guest.Inbound, status *CallError) {
	code, message := status.Code, status.answerText()
	if code == OK {
		code, message = Internal, "the service failed with code 0, which means no error: "+message
	}
	in.Fail(abi.Code(code), abi.CauseAnswered, message)
}
