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

// Code is a status code of gRPC, with its number and meaning. It is an error, and the error type of
// services without an error enum.
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

// String returns the name in gRPC: DEADLINE_EXCEEDED.
func (c Code) String() string { return abi.Code(c).String() }

// Error returns the same text as [Code.String].
func (c Code) Error() string { return c.String() }

// Cause is the reason why a call ended without a response.
type Cause uint32

// The causes.
const (
	CauseUnspecified   = Cause(abi.CauseUnspecified)   // no cause was given
	CauseTimedOut      = Cause(abi.CauseTimedOut)      // the deadline passed
	CauseCalleeExited  = Cause(abi.CauseCalleeExited)  // the callee exited before it answered
	CauseCalleeKilled  = Cause(abi.CauseCalleeKilled)  // the callee exceeded a time or memory limit
	CauseCalleeTrapped = Cause(abi.CauseCalleeTrapped) // the callee trapped or panicked
	CauseUnreachable   = Cause(abi.CauseUnreachable)   // no instance of the callee was available
	CauseCanceled      = Cause(abi.CauseCanceled)      // the caller cancelled the call
	CauseTooLarge      = Cause(abi.CauseTooLarge)      // the request exceeds the host's limit
	CauseOverloaded    = Cause(abi.CauseOverloaded)    // callee or caller has too many calls
	CauseUndecodable   = Cause(abi.CauseUndecodable)   // the request could not be decoded
	CauseNoSuchMethod  = Cause(abi.CauseNoSuchMethod)  // the callee has no such method
	CauseAnswered      = Cause(abi.CauseAnswered)      // the callee's handler returned this status
	CauseAnswerLost    = Cause(abi.CauseAnswerLost)    // the callee answered; the response was lost
	CauseExpired       = Cause(abi.CauseExpired)       // the deadline passed before the call began
)

// String returns the name: timed out.
func (c Cause) String() string { return abi.Cause(c).String() }

// Fate returns the fate of a call that failed for this cause. All SDKs use the same table.
func (c Cause) Fate() Fate { return Fate(abi.Cause(c).Fate()) }

// Fate is the knowledge about the effects of a failed call. Every failure has exactly one fate: see
// [FateOf].
type Fate uint8

// The fates.
const (
	FateUnknown  = Fate(abi.FateUnknown)  // the call may have run, or may still run
	FateRefused  = Fate(abi.FateRefused)  // the call never ran and never will; safe to retry
	FateAnswered = Fate(abi.FateAnswered) // the service answered with an error or status
)

// String returns the name: refused.
func (f Fate) String() string { return abi.Fate(f).String() }

// FateOf returns the fate of a call from the call's error. The fate of other errors is
// [FateUnknown].
func FateOf(err error) Fate {
	if status, ok := errors.AsType[*CallError](err); ok {
		return status.Fate()
	}
	if _, ok := errors.AsType[ownError](err); ok {
		return FateAnswered
	}
	return FateUnknown
}

// ownError is a [future.Error] of any enum.
type ownError interface {
	error
	Number() int32
}

// CallError is the end of a call without a response and without an error of the service's enum. A
// service that returns a CallError answers its own caller with the same code.
//
// [errors.Is] matches a CallError with its code, and the codes DeadlineExceeded and Canceled also
// with [context.DeadlineExceeded] and [context.Canceled].
type CallError struct {
	Code     Code
	Cause    Cause
	Message  string        // message for people, possibly empty
	Service  string        // full name of the called service; empty without a call
	Method   string        // called method: FetchGreeting
	Instance id.InstanceID // instance that had or refused the call; empty if none did
	Call     id.CallID     // id as in the log; empty if the call never left the guest

	details    []abi.ErrorDetail // see [DetailsOf]
	repeatable bool              // a repeated call has the effect of one call
}

// Fate returns the fate of the call.
func (e *CallError) Fate() Fate { return e.Cause.Fate() }

// Error returns the code, the cause, the message, and the method, instance and call:
// DEADLINE_EXCEEDED: timed out: it was not answered in time (greeting.v1.Greeting/FetchGreeting,
// instance ins_dfhedm, call cal_…).
func (e *CallError) Error() string { return e.Code.String() + e.withoutCode() }

func (e *CallError) withoutCode() string {
	var text strings.Builder
	if e.Cause != CauseUnspecified && e.Cause != CauseAnswered {
		text.WriteString(": " + e.Cause.String())
	}
	if e.Message != "" {
		text.WriteString(": " + e.Message)
	}
	var place []string
	if e.Service != "" {
		place = append(place, e.Service+"/"+e.Method)
	}
	if !e.Instance.IsEmpty() {
		place = append(place, "instance "+e.Instance.Short())
	}
	if !e.Call.IsEmpty() {
		place = append(place, "call "+e.Call.String())
	}
	if len(place) > 0 {
		text.WriteString(" (" + strings.Join(place, ", ") + ")")
	}
	return text.String()
}

// answerText returns the message of the status sent to a handler's caller. The cause of a nested
// call becomes part of the text, since it is not the cause of the caller's own call.
func (e *CallError) answerText() string {
	if e.Cause == CauseUnspecified {
		return e.Message
	}
	return strings.TrimLeft(e.withoutCode(), ": ")
}

// Is makes [errors.Is] match the code and the corresponding error of package context.
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

// callError converts a failure to an error.
func callError(failure *guest.Failure) *CallError {
	code := Code(failure.Code)
	if code < 0 || code > Unauthenticated {
		code = Unknown // a code of a newer host
	}
	return &CallError{
		Code:     code,
		Cause:    Cause(failure.Cause),
		Message:  failure.Message,
		Instance: instanceID(failure.Instance),
		Call:     callID(failure.ID),
		details:  failure.Details,
	}
}

func callID(wire [2]uint64) id.CallID {
	call, err := id.FromWire[id.Call](wire[0], wire[1])
	if err != nil {
		return id.CallID{} // the host sent an id of another type
	}
	return call
}

func instanceID(wire [2]uint64) id.InstanceID {
	instance, err := id.FromWire[id.Instance](wire[0], wire[1])
	if err != nil {
		return id.InstanceID{} // the host sent an id of another type
	}
	return instance
}

// statusOf returns the status sent to the caller for an error that is not of the service's enum.
func statusOf(err error) *CallError {
	if status, ok := errors.AsType[*CallError](err); ok {
		return status
	}
	if code, ok := errors.AsType[Code](err); ok {
		return &CallError{Code: code, Message: messageBeside(err, code)}
	}
	if _, ok := errors.AsType[ownError](err); ok { // an error of another service's enum
		return &CallError{Code: CodeOf(err), Message: err.Error()}
	}
	if _, ok := errors.AsType[id.Error](err); ok { // an id of the request is missing or invalid
		return &CallError{Code: InvalidArgument, Message: err.Error()}
	}
	switch {
	case errors.Is(err, future.ErrGoexit):
		return &CallError{Code: Internal, Message: guest.HandlerExited}
	case errors.Is(err, context.DeadlineExceeded):
		return &CallError{Code: DeadlineExceeded, Message: err.Error()}
	case errors.Is(err, context.Canceled):
		return &CallError{Code: Canceled, Message: err.Error()}
	}
	return &CallError{Code: Unknown, Message: err.Error()}
}

// messageBeside returns the text of an error, or an empty text if it is only the name of the code.
func messageBeside(err error, code Code) string {
	if text := err.Error(); text != code.Error() {
		return text
	}
	return ""
}

// tooLong returns the text for a request or response above the host's limit.
func tooLong(message string, bytes, most int) string {
	return fmt.Sprintf("%s of %d bytes exceeds the limit of %d", message, bytes, most)
}
