package parigot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/id"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// Code is one of the codes of gRPC, with its number and meaning. It is an error, and the error type of services that declare no enum.
type Code int32

// The codes: see https://grpc.io/docs/guides/status-codes/.
const (
	OK                 = Code(abi.OK)
	Canceled           = Code(abi.Canceled)
	Unknown            = Code(abi.Unknown)
	InvalidArgument    = Code(abi.InvalidArgument)
	DeadlineExceeded   = Code(abi.DeadlineExceeded)
	NotFound           = Code(abi.NotFound)
	AlreadyExists      = Code(abi.AlreadyExists)
	PermissionDenied   = Code(abi.PermissionDenied)
	ResourceExhausted  = Code(abi.ResourceExhausted)
	FailedPrecondition = Code(abi.FailedPrecondition)
	Aborted            = Code(abi.Aborted)
	OutOfRange         = Code(abi.OutOfRange)
	Unimplemented      = Code(abi.Unimplemented)
	Internal           = Code(abi.Internal)
	Unavailable        = Code(abi.Unavailable)
	DataLoss           = Code(abi.DataLoss)
	Unauthenticated    = Code(abi.Unauthenticated)
)

// String returns the name that gRPC gives it: DEADLINE_EXCEEDED.
func (c Code) String() string { return abi.Code(c).String() }

// Error is [Code.String].
func (c Code) Error() string { return c.String() }

// Cause is what happened to a call that ended without its callee's answer.
type Cause uint32

// The causes.
const (
	CauseUnspecified   = Cause(abi.CauseUnspecified)   // nobody said
	CauseTimedOut      = Cause(abi.CauseTimedOut)      // its deadline passed
	CauseCalleeExited  = Cause(abi.CauseCalleeExited)  // the callee left while it had the call
	CauseCalleeKilled  = Cause(abi.CauseCalleeKilled)  // the host killed the callee: it held its thread too long, or grew too big
	CauseCalleeTrapped = Cause(abi.CauseCalleeTrapped) // the callee trapped or panicked
	CauseUnreachable   = Cause(abi.CauseUnreachable)   // no instance of the callee is there
	CauseCanceled      = Cause(abi.CauseCanceled)      // the caller cancelled it
	CauseTooLarge      = Cause(abi.CauseTooLarge)      // the message is longer than the host lets through
	CauseOverloaded    = Cause(abi.CauseOverloaded)    // the callee has as many calls as it may have
	CauseUndecodable   = Cause(abi.CauseUndecodable)   // the message could not be decoded
	CauseNoSuchMethod  = Cause(abi.CauseNoSuchMethod)  // the callee has no such method
)

// String returns it in words: timed out.
func (c Cause) String() string { return abi.Cause(c).String() }

// CallError is the end of a call that the callee did not answer. A service that returns one passes it on as it is.
//
// It is a [context.DeadlineExceeded] or a [context.Canceled] if that is its code, and it is its code: see [errors.Is].
type CallError struct {
	Code    Code
	Cause   Cause
	Message string    // for people, possibly empty
	Call    id.CallID // as the log shows it; empty for a call that never left the guest
}

// Error returns what is known: DEADLINE_EXCEEDED: timed out: it was not answered in time (call cal_…).
func (e *CallError) Error() string {
	var text strings.Builder
	text.WriteString(e.Code.String())
	if e.Cause != CauseUnspecified {
		text.WriteString(": " + e.Cause.String())
	}
	if e.Message != "" {
		text.WriteString(": " + e.Message)
	}
	if !e.Call.IsEmpty() {
		text.WriteString(" (call " + e.Call.String() + ")")
	}
	return text.String()
}

// Is makes [errors.Is] find the code, and what package context calls it.
func (e *CallError) Is(target error) bool {
	switch target {
	case context.DeadlineExceeded:
		return e.Code == DeadlineExceeded
	case context.Canceled, future.ErrCanceled:
		return e.Code == Canceled
	}
	code, ok := target.(Code)
	return ok && code == e.Code
}

// failed returns the error that a failure is.
func failed(failure *guest.Failure) *CallError {
	code := Code(failure.Code)
	if code < 0 || code > Unauthenticated {
		code = Unknown // a newer host's
	}
	return &CallError{code, Cause(failure.Cause), failure.Message, callID(failure.ID)}
}

func callID(wire [2]uint64) id.CallID {
	call, err := id.FromWire[id.Call](wire[0], wire[1])
	if err != nil {
		return id.CallID{} // a host that is not ours
	}
	return call
}

// statusOf returns what a caller is told of an error that is none of the service's own.
func statusOf(err error) *CallError {
	if status, ok := errors.AsType[*CallError](err); ok {
		return status
	}
	if code, ok := errors.AsType[Code](err); ok {
		return &CallError{Code: code, Message: messageBeside(err, code)}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &CallError{Code: DeadlineExceeded, Message: err.Error()}
	case errors.Is(err, context.Canceled):
		return &CallError{Code: Canceled, Message: err.Error()}
	}
	return &CallError{Code: Unknown, Message: err.Error()}
}

// messageBeside returns what an error says beyond its code.
func messageBeside(err error, code Code) string {
	if text := err.Error(); text != code.Error() {
		return text
	}
	return ""
}

// tooLarge says that a message is longer than the host lets through.
func tooLarge(bytes, most int) *CallError {
	message := fmt.Sprintf("a message of %d bytes, and at most %d are let through", bytes, most)
	return &CallError{Code: ResourceExhausted, Cause: CauseTooLarge, Message: message}
}
