package future

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrorType is the error enum of a service. 0 is no error.
type ErrorType interface{ ~int32 }

// Error is a service's own error, a value of its error enum. Numbers that this version of the .proto lacks are kept.
//
// If E is itself an error, as the enums are that are declared beside their service, it is found by [errors.As] and [errors.Is].
type Error[E ErrorType] struct{ Value E }

// Error returns the error's text, if it is one, else the name of the enum's value or its number.
func (e Error[E]) Error() string {
	if err := e.Unwrap(); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("the service failed with %v", e.Value)
}

// Unwrap returns the value if it is an error, else nil.
func (e Error[E]) Unwrap() error {
	err, _ := any(e.Value).(error)
	return err
}

// Number returns the number on the wire.
func (e Error[E]) Number() int32 { return int32(e.Value) }

var (
	// ErrCanceled says that a future was cancelled. It is a [context.Canceled].
	ErrCanceled = fmt.Errorf("future: %w", context.Canceled)
	// ErrTimedOut says that a [Timeout] has passed. It is a [context.DeadlineExceeded].
	ErrTimedOut = fmt.Errorf("future: %w", context.DeadlineExceeded)
	// ErrNone says that there was nothing to wait for: see [Race].
	ErrNone = errors.New("future: a race of none")
)

// AllFailedError is the errors of futures of which one was to succeed, in the order of the futures: see [Any]. [errors.Is] and [errors.As] look
// into each of them.
type AllFailedError struct{ Errors []error }

func (e AllFailedError) Error() string {
	if len(e.Errors) == 0 {
		return "future: there was nothing to succeed"
	}
	texts := make([]string, len(e.Errors))
	for index, err := range e.Errors {
		texts[index] = err.Error()
	}
	return fmt.Sprintf("none of %d has succeeded: %s", len(texts), strings.Join(texts, "; "))
}

// Unwrap returns the errors.
func (e AllFailedError) Unwrap() []error { return e.Errors }

// normalize returns nil for an E of zero, an [Error] for an E or what wraps one, and what is given for all else.
func normalize[E ErrorType](err error) error {
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		value, ok := any(cause).(E)
		if wrapped, isWrapped := cause.(Error[E]); isWrapped {
			value, ok = wrapped.Value, true
		}
		if ok && value == 0 {
			return nil
		}
		if ok {
			return Error[E]{value}
		}
	}
	return err
}
