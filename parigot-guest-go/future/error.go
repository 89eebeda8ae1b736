package future

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrorType is the error enum of a service.
type ErrorType interface{ ~int32 }

// Error is an error of a service: a value of its error enum. Numbers unknown to this version of the
// .proto are kept. The value 0 is not an error: a handler that fails with it fails with INTERNAL.
//
// Enums declared in the package of their service implement error. Then [errors.As] and [errors.Is]
// find the value.
type Error[E ErrorType] struct {
	Value E
	cause error // the error that contains the value and more, for example a message; else nil
}

// Error returns the text of the error that wraps the value. Without one, it returns the text of the
// value if that is an error, else a text with its name or number.
func (e Error[E]) Error() string {
	if err := e.Unwrap(); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("the service failed with %v", e.Value)
}

// Unwrap returns the error that wraps the value. Without one, it returns the value if that is an
// error, else nil.
func (e Error[E]) Unwrap() error {
	if e.cause != nil {
		return e.cause
	}
	err, _ := any(e.Value).(error)
	return err
}

// Number returns the number on the wire.
func (e Error[E]) Number() int32 { return int32(e.Value) }

var (
	// ErrCanceled is the error of a cancelled future. It wraps [context.Canceled].
	ErrCanceled = fmt.Errorf("future: %w", context.Canceled)
	// ErrTimedOut is the error of an expired [Timeout]. It wraps [context.DeadlineExceeded].
	ErrTimedOut = fmt.Errorf("future: %w", context.DeadlineExceeded)
	// ErrGoexit is the error of a future whose function, passed to [Then] or [Map], has called
	// [runtime.Goexit]. Fatal and FailNow of package testing call it.
	ErrGoexit = errors.New("future: the function called runtime.Goexit")
	// ErrNone is the error of [Race] without futures.
	ErrNone = errors.New("future: Race called with no futures")
)

// AllFailedError is the error of [Any] if all futures fail, with their errors in the order of the
// futures. [errors.Is] and [errors.As] search each of them.
type AllFailedError struct{ Errors []error }

func (e AllFailedError) Error() string {
	if len(e.Errors) == 0 {
		return "future: Any called with no futures"
	}
	texts := make([]string, len(e.Errors))
	for index, err := range e.Errors {
		texts[index] = err.Error()
	}
	return fmt.Sprintf("all %d calls failed: %s", len(texts), strings.Join(texts, "; "))
}

// Unwrap returns the errors.
func (e AllFailedError) Unwrap() []error { return e.Errors }

// normalize returns an [Error] for an E or an error that wraps an E, and all other errors
// unchanged.
func normalize[E ErrorType](err error) error {
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if wrapped, ok := cause.(Error[E]); ok {
			if cause != err {
				wrapped.cause = err
			}
			return wrapped
		}
		if value, ok := any(cause).(E); ok {
			if cause != err {
				return Error[E]{Value: value, cause: err}
			}
			return Error[E]{Value: value}
		}
	}
	return err
}
