package future

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrorType is the error enum of a service. The value 0 is no error.
type ErrorType interface{ ~int32 }

// Error is an error of a service: a value of its error enum. Numbers unknown to this version of the
// .proto are kept.
//
// Enums declared in the package of their service implement error. Then [errors.As] and [errors.Is]
// find the value.
type Error[E ErrorType] struct{ Value E }

// Error returns the text of the value if it is an error, else a text with its name or number.
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
	// ErrCanceled is the error of a cancelled future. It wraps [context.Canceled].
	ErrCanceled = fmt.Errorf("future: %w", context.Canceled)
	// ErrTimedOut is the error of an expired [Timeout]. It wraps [context.DeadlineExceeded].
	ErrTimedOut = fmt.Errorf("future: %w", context.DeadlineExceeded)
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

// normalize returns nil for an E of 0, an [Error] for an E or an error that wraps an E, and all
// other errors unchanged.
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
