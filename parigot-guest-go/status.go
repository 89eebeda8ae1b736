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
	CauseTooLarge      = Cause(abi.CauseTooLarge)      // the request is longer than the host lets through
	CauseOverloaded    = Cause(abi.CauseOverloaded)    // the callee, or the caller, has as many calls as it may have
	CauseUndecodable   = Cause(abi.CauseUndecodable)   // the request could not be decoded
	CauseNoSuchMethod  = Cause(abi.CauseNoSuchMethod)  // the callee has no such method
	CauseAnswered      = Cause(abi.CauseAnswered)      // the callee's handler ended it with this status
	CauseAnswerLost    = Cause(abi.CauseAnswerLost)    // the callee has answered, and the answer did not come through
)

// String returns it in words: timed out.
func (c Cause) String() string { return abi.Cause(c).String() }

// Fate returns what is known of a call that failed for this cause, in all languages.
func (c Cause) Fate() Fate { return Fate(abi.Cause(c).Fate()) }

// Fate is what is known of a call that failed: each failure is exactly one of three. See [FateOf].
type Fate uint8

// The fates.
const (
	FateUnknown  = Fate(abi.FateUnknown)  // it may have run, in part or to its end, or still run
	FateRefused  = Fate(abi.FateRefused)  // it did not run, and never will: making it again does nothing twice
	FateAnswered = Fate(abi.FateAnswered) // the service has said how it ended: an error of its own, or a status
)

// String returns it in a word: refused.
func (f Fate) String() string { return abi.Fate(f).String() }

// FateOf returns what the error of a call says of it. Of errors that are none of a call nothing is known.
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

// CallError is the end of a call that has no response and no error of the service's own. A service that returns one answers its own caller with
// the same code.
//
// It is a [context.DeadlineExceeded] or a [context.Canceled] if that is its code, and it is its code: see [errors.Is].
type CallError struct {
	Code     Code
	Cause    Cause
	Message  string        // for people, possibly empty
	Service  string        // the full name of what was called, greeting.v1.Greeting; empty for what is not the end of a call
	Method   string        // of it: FetchGreeting
	Instance id.InstanceID // the one that had the call or refused it; empty for a call that came to none
	Call     id.CallID     // as the log shows it; empty for a call that never left the guest
}

// Fate returns what is known of the call.
func (e *CallError) Fate() Fate { return e.Cause.Fate() }

// Error returns what is known: DEADLINE_EXCEEDED: timed out: it was not answered in time (greeting.v1.Greeting/FetchGreeting, instance
// ins_dfhedm, call cal_…).
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

// answerText is what a caller is told whose handler has ended with this error: what happened to another call is no cause of theirs.
func (e *CallError) answerText() string {
	if e.Cause == CauseUnspecified {
		return e.Message
	}
	return strings.TrimLeft(e.withoutCode(), ": ")
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
	return &CallError{
		Code:     code,
		Cause:    Cause(failure.Cause),
		Message:  failure.Message,
		Instance: instanceID(failure.Instance),
		Call:     callID(failure.ID),
	}
}

func callID(wire [2]uint64) id.CallID {
	call, err := id.FromWire[id.Call](wire[0], wire[1])
	if err != nil {
		return id.CallID{} // a host that is not ours
	}
	return call
}

func instanceID(wire [2]uint64) id.InstanceID {
	instance, err := id.FromWire[id.Instance](wire[0], wire[1])
	if err != nil {
		return id.InstanceID{} // a host that is not ours
	}
	return instance
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

// tooLong says that a message is longer than the host lets through.
func tooLong(bytes, most int) string {
	return fmt.Sprintf("a message of %d bytes, and at most %d are let through", bytes, most)
}
