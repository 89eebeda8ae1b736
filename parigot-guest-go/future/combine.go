package future

import (
	"context"
	"sync/atomic"
	"time"
)

// Then returns a future that completes as the one which next makes of the response does. An error of first is its error, and next is not called.
//
// Cancelling it cancels whichever of the two it waits for.
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
		made := next(response)
		second.Store(made)
		forward(made, result)
		if result.Completed() {
			made.Cancel() // whoever cancelled in between could not
		}
	})
	first.Failure(func(err error) { fail(result, err) })
	return result
}

// Map returns a future that completes with what convert makes of the response. Cancelling it cancels first.
func Map[T, U any, E ErrorType](first *Method[T, E], convert func(T) U) *Method[U, E] {
	result := newCancelling[U, E](first.Cancel)
	first.Success(func(response T) { result.Complete(convert(response), nil) })
	first.Failure(func(err error) { fail(result, err) })
	return result
}

// First returns a future that completes as the first of these to do so; the others are then cancelled. Of none it fails with [ErrNone].
func First[T any, E ErrorType](futures ...*Method[T, E]) *Method[T, E] {
	cancelAll := func() {
		for _, each := range futures {
			each.Cancel()
		}
	}
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

// Timeout returns a future that completes as first does, or after that long with [ErrTimedOut]; first is then cancelled.
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

// cancelling is the hooks of a future that is cancelled by a function.
type cancelling func()

func newCancelling[T any, E ErrorType](cancel cancelling) *Method[T, E] {
	method := New[T, E]()
	method.Init(cancel)
	return method
}

func (c cancelling) Run(handlers func()) { handlers() }

func (c cancelling) Abandon() { c() }

func (c cancelling) Interrupted() {}

func forward[T any, E ErrorType](from, to *Method[T, E]) {
	from.Success(func(response T) { to.Complete(response, nil) })
	from.Failure(func(err error) { fail(to, err) })
}

func fail[T any, E ErrorType](method *Method[T, E], err error) {
	var none T
	method.Complete(none, err)
}

// AllFuture completes when all of some futures have succeeded, or when the first of them has failed: see [All].
type AllFuture[T any, E ErrorType] struct {
	dependent []*Method[T, E]
	outcome   *Method[[]T, E]
	failed    atomic.Int64 // the index of the first that failed, from 1
}

// All returns a future of all these; of none, and of those that are complete, it is complete. If one fails, the others go on.
func All[T any, E ErrorType](futures ...*Method[T, E]) *AllFuture[T, E] {
	all := &AllFuture[T, E]{dependent: futures, outcome: New[[]T, E]()}
	responses := make([]T, len(futures))
	var missing atomic.Int64
	missing.Store(int64(len(futures)))
	if len(futures) == 0 {
		all.outcome.Complete(responses, nil)
	}
	for index, each := range futures {
		each.Success(func(response T) {
			responses[index] = response
			if missing.Add(-1) == 0 {
				all.outcome.Complete(responses, nil)
			}
		})
		each.Failure(func(err error) {
			all.failed.CompareAndSwap(0, int64(index)+1)
			fail(all.outcome, err)
		})
	}
	return all
}

// Success registers what to do when all have succeeded.
func (a *AllFuture[T, E]) Success(handle func()) *AllFuture[T, E] {
	a.outcome.Success(func([]T) { handle() })
	return a
}

// Failure registers what to do when one has failed, whose index it gets.
func (a *AllFuture[T, E]) Failure(handle func(index int)) *AllFuture[T, E] {
	a.outcome.Failure(func(error) { handle(int(a.failed.Load()) - 1) })
	return a
}

// Await blocks until all have succeeded, and returns their responses in the order of the futures; or until one has failed, with its error.
func (a *AllFuture[T, E]) Await(ctx context.Context) ([]T, error) { return a.outcome.Await(ctx) }

// AllDependent returns the futures.
func (a *AllFuture[T, E]) AllDependent() []*Method[T, E] { return a.dependent }

// Completed reports whether the outcome is known.
func (a *AllFuture[T, E]) Completed() bool { return a.outcome.Completed() }

// Cancel cancels all those that are not complete.
func (a *AllFuture[T, E]) Cancel() {
	for _, each := range a.dependent {
		each.Cancel()
	}
}
