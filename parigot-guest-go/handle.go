package parigot

import (
	"cmp"
	"context"
	"fmt"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
	"google.golang.org/protobuf/proto"
)

// Export is an exported service with its implementation. The generated function Export creates it.
type Export struct {
	Service *Service
	// Ready is called once, after the launch and before the first call, when all required services
	// can be called. If the value is true, the guest serves calls; if it is false, the start fails.
	// If Ready is nil, the guest serves immediately.
	Ready    func(context.Context) *future.Base[bool]
	Handlers []Handler // one for each method, by index
}

// ReadyAtOnce implements the method Ready of services that need no preparation:
//
//	type greeter struct{ parigot.ReadyAtOnce }
type ReadyAtOnce struct{}

// Ready returns a future with the value true.
func (ReadyAtOnce) Ready(context.Context) *future.Base[bool] {
	return future.NewBaseWithValue(true)
}

type notReadyKey struct{}

// NotReady returns a future with the value false, and reports err to the host as the reason. Use it
// in the method Ready of a service that cannot serve calls, with the context of Ready.
//
//	func (s *stock) Ready(ctx context.Context) *future.Base[bool] {
//		if err := s.load(); err != nil {
//			return parigot.NotReady(ctx, err)
//		}
//		return future.NewBaseWithValue(true)
//	}
func NotReady(ctx context.Context, err error) *future.Base[bool] {
	if reason, ok := ctx.Value(notReadyKey{}).(*error); ok {
		*reason = err
	}
	return future.NewBaseWithValue(false)
}

// compareSchemas is the next step after a message that cannot be decoded.
const compareSchemas = "run `parigot check` to compare the schemas of caller and callee"

// Handler serves one method: see [Handle].
type Handler func(in *guest.Inbound, request []byte)

// Handle returns a handler that decodes a request into the empty message of newRequest, passes it
// to serve, and replies when the future completes.
//
// The context of serve has the call's deadline, and ends when the caller no longer waits. Then the
// future is cancelled.
func Handle[I, O proto.Message, E future.ErrorType](
	newRequest func() I, serve func(context.Context, I) *future.Method[O, E],
) Handler {
	serveAndAnswer := func(in *guest.Inbound, request proto.Message) {
		method := serve(in, request.(I))
		if method == nil {
			const message = "the service returned no future"
			in.Fail(abi.Internal, abi.Detail{Cause: abi.CauseAnswered, Message: message})
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
		if decodeRequest(in, request, decoded) {
			in.Serve(decoded, serveAndAnswer)
		}
	}
}

// decodeRequest decodes a request into an empty message. It answers the call and returns false if
// the request cannot be decoded.
func decodeRequest(in *guest.Inbound, request []byte, into proto.Message) bool {
	err := decodeInto.Unmarshal(request, into)
	if err != nil {
		message := fmt.Sprintf("the request cannot be decoded: %v; %s", err, compareSchemas)
		detail := abi.Detail{Cause: abi.CauseUndecodable, Message: message}
		in.Fail(abi.InvalidArgument, detail)
	}
	return err == nil
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
		detail := abi.Detail{Cause: abi.CauseAnswerLost, Message: tooLong("response", bytes, most)}
		in.Fail(abi.ResourceExhausted, detail)
		return
	}
	in.Respond(response)
}

// respondError answers with an error of the service's enum, or with a status.
func respondError[E future.ErrorType](in *guest.Inbound, err error) {
	detail := abi.Detail{Cause: abi.CauseAnswered}
	own, isOwn := err.(future.Error[E])
	_, isCode := any(own.Value).(Code) // the service declares no enum, so the code is a status
	if isOwn && !isCode && own.Value != 0 {
		detail.Message, detail.Details = ownMessage(own), detailsOf(own)
		in.FailOwn(own.Number(), detail)
		return
	}
	status := statusOf(err)
	code := status.Code
	message, details := notesOf(err)
	detail.Message, detail.Details = cmp.Or(message, status.answerText()), details
	if code == OK || isOwn && own.Value == 0 {
		code = Internal
		detail.Message, detail.Details = "returned error number 0", nil
	}
	in.Fail(abi.Code(code), detail)
}
