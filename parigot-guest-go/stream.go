package parigot

import (
	"io"
	"iter"
)

// Sender sends the messages of a stream: the responses in a handler, the requests at a caller.
//
// Sender and [Receiver] of one call may be used on different goroutines.
type Sender[T any] interface {
	// Send sends a message as soon as the receiver has room for it: it blocks while the receiver is
	// behind. Sending is not delivery: the end of the call tells if the other side has all
	// messages.
	//
	// In a handler, Send fails if the caller has cancelled the call or its deadline has passed; the
	// context of the handler has ended then. At a caller, Send fails with [io.EOF] if the callee
	// has answered early, and with the failure of the call if there is one.
	//
	// A message above the host's limit, or one that cannot be encoded, fails the call: a stream
	// that lacks a message does not look complete.
	Send(message T) error
}

// Receiver receives the messages of a stream: the requests in a handler, the responses at a caller.
type Receiver[T any] interface {
	// Recv returns the next message. It blocks until there is one. The error is [io.EOF] if the
	// other side has sent all messages. Any other error means that the stream is incomplete; the
	// same error follows then.
	Recv() (T, error)
	// All returns the messages until the end of the stream. If the stream is incomplete, the last
	// pair has the error and no message. A loop that breaks at a caller cancels the call; in a
	// handler, it leaves the remaining requests unread.
	//
	//	for sample, err := range samples.All() {
	//		if err != nil {
	//			return err
	//		}
	//		…
	//	}
	All() iter.Seq2[T, error]
}

// ResponseStream is a call with one request and a stream of responses, at the caller.
//
// A caller reads all responses, or cancels the call: by a break of the loop over All, by Cancel, or
// by the end of the call's context.
type ResponseStream[O any] interface {
	Receiver[O]
	Canceler
}

// ClientStream is a call with a stream of requests and one response, at the caller.
//
// A caller ends the call with CloseAndRecv, or cancels it: by Cancel, or by the end of the call's
// context. Until then, the requests do not look complete to the callee.
type ClientStream[I, O any] interface {
	Sender[I]
	// CloseAndRecv tells the callee that it has all requests, and returns the response.
	CloseAndRecv() (O, error)
	Canceler
}

// BidiStream is a call that streams in both directions, at the caller.
//
// The requests end with CloseSend. Until then, they do not look complete to the callee. A caller
// reads all responses, or cancels the call: see [ResponseStream].
type BidiStream[I, O any] interface {
	Sender[I]
	// CloseSend tells the callee that it has all requests.
	CloseSend()
	Receiver[O]
	Canceler
}

// Canceler cancels a call that streams.
type Canceler interface {
	// Cancel cancels the call, unless it has ended. So a deferred Cancel cleans up after an early
	// return.
	Cancel()
}

// all returns the messages that recv returns. It calls leave if a loop does not reach the end.
func all[T any](recv func() (T, error), leave func()) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		isOver := false
		defer func() { // also after a panic in the loop
			if !isOver {
				leave()
			}
		}()
		for !isOver {
			message, err := recv()
			isOver = err != nil
			if err != io.EOF && !yield(message, err) {
				return
			}
		}
	}
}
