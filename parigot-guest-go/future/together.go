package future

import (
	"context"
	"sync/atomic"
)

// Future is a [Method] of any types: see [Join] and [AllOf].
type Future interface {
	Completed() bool
	Cancel()
	// whenCompleted registers a handler for the error, or for nil.
	whenCompleted(func(error))
}

func (m *Method[T, E]) whenCompleted(do func(error)) {
	m.Success(func(T) { do(nil) }).Failure(do)
}

// Together combines futures of any types: see [Join] and [AllOf]. After it has completed, Await of
// each of its futures returns immediately.
type Together struct {
	futures []Future
	outcome *Method[struct{}, none]
	failed  atomic.Int64 // index of the first failed future, from 1; 0 if none has failed
	cancels atomic.Bool  // true once the futures are being cancelled
}

// none is an error enum without errors.
type none int32

// Join waits until all futures have completed, with responses or errors. Without futures it is
// completed.
func Join(futures ...Future) *Together { return together(futures, false) }

// AllOf waits until all futures have succeeded. When the first future fails, AllOf fails with the
// same error, and the others are cancelled. [All] does the same for futures of one type, and
// returns their responses.
func AllOf(futures ...Future) *Together { return together(futures, true) }

func together(futures []Future, needsAll bool) *Together {
	t := &Together{futures: futures, outcome: New[struct{}, none]()}
	ended := countdown(len(futures), func() { t.outcome.Complete(struct{}{}, nil) })
	for index, each := range futures {
		each.whenCompleted(func(err error) {
			if needsAll && err != nil {
				t.failed.CompareAndSwap(0, int64(index)+1)
				fail(t.outcome, err)
				t.Cancel()
				return
			}
			ended()
		})
	}
	return t
}

// Success registers a handler for the success.
func (t *Together) Success(handle func()) *Together {
	t.outcome.Success(func(struct{}) { handle() })
	return t
}

// Failure registers a handler for the first failure. It receives the index of the failed future. A
// [Join] does not fail.
func (t *Together) Failure(handle func(index int)) *Together {
	t.outcome.Failure(func(error) { handle(int(t.failed.Load()) - 1) })
	return t
}

// Await blocks until the outcome is known. For an [AllOf] it returns the error of the first
// failure. If the context ends before, it returns the cause of the context.
func (t *Together) Await(ctx context.Context) error {
	_, err := t.outcome.Await(ctx)
	return err
}

// Completed reports whether the outcome is known.
func (t *Together) Completed() bool { return t.outcome.Completed() }

// Cancel cancels the futures that are not completed.
func (t *Together) Cancel() {
	if !t.cancels.Swap(true) { // else a future cancelled by this loop has called Cancel
		cancel(t.futures)
	}
}

// AllFuture completes when all futures have succeeded or the first has failed: see [All].
type AllFuture[T any, E ErrorType] struct {
	dependent []*Method[T, E]
	together  *Together
}

// All waits until all futures have succeeded, and returns their responses. When the first future
// fails, All fails with the same error, and the others are cancelled. Without futures it is
// completed. [AllOf] does the same for futures of different types.
func All[T any, E ErrorType](futures ...*Method[T, E]) *AllFuture[T, E] {
	untyped := make([]Future, len(futures))
	for index, each := range futures {
		untyped[index] = each
	}
	return &AllFuture[T, E]{dependent: futures, together: AllOf(untyped...)}
}

// Success registers a handler that runs when all futures have succeeded.
func (a *AllFuture[T, E]) Success(handle func()) *AllFuture[T, E] {
	a.together.Success(handle)
	return a
}

// Failure registers a handler for the first failure. It receives the index of the failed future.
func (a *AllFuture[T, E]) Failure(handle func(index int)) *AllFuture[T, E] {
	a.together.Failure(handle)
	return a
}

// Await blocks until all futures have succeeded, and returns their responses in the order of the
// futures. When the first future fails, it returns the error. If the context ends before, it
// returns the cause of the context.
func (a *AllFuture[T, E]) Await(ctx context.Context) ([]T, error) {
	if err := a.together.Await(ctx); err != nil {
		return nil, err
	}
	responses := make([]T, len(a.dependent))
	for index, each := range a.dependent {
		responses[index], _ = each.Await(ctx) // every future has succeeded
	}
	return responses, nil
}

// AllDependent returns the futures.
func (a *AllFuture[T, E]) AllDependent() []*Method[T, E] { return a.dependent }

// Completed reports whether the outcome is known.
func (a *AllFuture[T, E]) Completed() bool { return a.together.Completed() }

// Cancel cancels the futures that are not completed.
func (a *AllFuture[T, E]) Cancel() { a.together.Cancel() }
