package future

import (
	"sync/atomic"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/goexit"
)

// Then calls next with the response of first, and returns a future that completes as the future of
// next does. If first fails, the returned future fails with the same error, and next is not called.
//
// A cancellation of the returned future cancels first or the future of next.
func Then[T, U any, E, F ErrorType](first *Method[T, E], next func(T) *Method[U, F]) *Method[U, F] {
	var second atomic.Pointer[Method[U, F]]
	result := newCancelling[U, F](func() {
		first.Cancel()
		if second := second.Load(); second != nil {
			second.Cancel()
		}
	})
	first.Success(func(response T) {
		if result.Completed() {
			return
		}
		made := madeBy(next, response, result)
		second.Store(made)
		forward(made, result)
		if result.Completed() {
			made.Cancel() // a cancellation after the check above did not know this future
		}
	})
	first.Failure(func(err error) { fail(result, err) })
	return result
}

// Map returns a future that completes with the result of convert on the response of first. A
// cancellation of the returned future cancels first.
func Map[T, U any, E ErrorType](first *Method[T, E], convert func(T) U) *Method[U, E] {
	result := newCancelling[U, E](first.Cancel)
	first.Success(func(response T) { result.Complete(madeBy(convert, response, result), nil) })
	first.Failure(func(err error) { fail(result, err) })
	return result
}

// Race returns a future that completes as the first of the futures to complete does, with a
// response or with an error. The others are then cancelled. Without futures it fails with
// [ErrNone].
func Race[T any, E ErrorType](futures ...*Method[T, E]) *Method[T, E] {
	cancelAll := cancelling(func() { cancel(futures) })
	result := newCancelling[T, E](cancelAll)
	for _, each := range futures {
		forward(each, result)
		if result.Completed() {
			break
		}
	}
	if len(futures) == 0 {
		fail(result, ErrNone)
	}
	result.Success(func(T) { cancelAll() }).Failure(func(error) { cancelAll() })
	return result
}

// Any returns a future that completes as the first of the futures to succeed does. The others are
// then cancelled. If all futures fail, or without futures, it fails with an [AllFailedError].
func Any[T any, E ErrorType](futures ...*Method[T, E]) *Method[T, E] {
	cancelAll := cancelling(func() { cancel(futures) })
	result := newCancelling[T, E](cancelAll)
	errs := make([]error, len(futures))
	failed := countdown(len(futures), func() { fail(result, AllFailedError{errs}) })
	for index, each := range futures {
		each.Success(func(response T) { result.Complete(response, nil) })
		each.Failure(func(err error) {
			errs[index] = err
			failed()
		})
	}
	result.Success(func(T) { cancelAll() })
	return result
}

// countdown returns a function whose call number from calls done. If from is 0, countdown calls
// done immediately.
func countdown(from int, done func()) func() {
	var left atomic.Int64
	left.Store(int64(from))
	if from == 0 {
		done()
	}
	return func() {
		if left.Add(-1) == 0 {
			done()
		}
	}
}

// Timeout returns a future that completes as first does, or fails with [ErrTimedOut] after that
// duration. Then first is cancelled.
func Timeout[T any, E ErrorType](first *Method[T, E], after time.Duration) *Method[T, E] {
	result := newCancelling[T, E](first.Cancel)
	timer := time.AfterFunc(after, func() {
		fail(result, ErrTimedOut)
		first.Cancel()
	})
	forward(first, result)
	first.Success(func(T) { timer.Stop() }).Failure(func(error) { timer.Stop() })
	return result
}

// cancelling implements the hooks of a future that is cancelled by a function.
type cancelling func()

func newCancelling[T any, E ErrorType](cancel cancelling) *Method[T, E] {
	method := New[T, E]()
	method.Init(cancel)
	return method
}

func (c cancelling) Run(handlers func()) { handlers() }

func (c cancelling) Abandon() { c() }

func (c cancelling) Idle() bool { return false }

func (c cancelling) Interrupted() bool { return false }

func forward[T any, E ErrorType](from, to *Method[T, E]) {
	from.Success(func(response T) { to.Complete(response, nil) })
	from.Failure(func(err error) { fail(to, err) })
}

func fail[T any, E ErrorType](method *Method[T, E], err error) {
	var none T
	method.Complete(none, err)
}

// madeBy returns the result of a function of the user. If the function calls [runtime.Goexit], the
// future that waits for it fails; it would stay pending otherwise.
func madeBy[T, R, U any, E ErrorType](function func(T) R, of T, waiting *Method[U, E]) R {
	returned := false
	defer func() {
		if !returned && goexit.InProgress() {
			fail(waiting, ErrGoexit)
		}
	}()
	made := function(of)
	returned = true
	return made
}

func cancel[F Future](futures []F) {
	for _, each := range futures {
		each.Cancel()
	}
}
