package future

import (
	"context"
	"sync/atomic"
)

// Future is a [Method], whatever its types are: what [Join] and [AllOf] take.
type Future interface {
	Completed() bool
	Cancel()
	// whenCompleted registers what to do with the error, or with nil.
	whenCompleted(func(error))
}

func (m *Method[T, E]) whenCompleted(do func(error)) {
	m.Success(func(T) { do(nil) }).Failure(do)
}

// Together is several futures, of any types: see [Join] and [AllOf]. When it has completed, Await of those futures returns what each of them has ended
// with, at once.
type Together struct {
	futures []Future
	outcome *Method[struct{}, none]
	failed  atomic.Int64 // the index of the first that failed, from 1
	cancels atomic.Bool  // or did
}

// none is an enum without an error.
type none int32

// Join waits for all of these futures to complete, however. If there are none, it is complete.
func Join(futures ...Future) *Together { return together(futures, false) }

// AllOf waits for all of these futures to succeed. As soon as one fails, it fails with the same error, and the others are cancelled. [All] does the
// same for futures of one type, and returns their responses.
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

// Success registers what to do when it has succeeded.
func (t *Together) Success(handle func()) *Together {
	t.outcome.Success(func(struct{}) { handle() })
	return t
}

// Failure registers what to do when one has failed, whose index it gets. A [Join] does not fail.
func (t *Together) Failure(handle func(index int)) *Together {
	t.outcome.Failure(func(error) { handle(int(t.failed.Load()) - 1) })
	return t
}

// Await blocks until it has completed, and returns the error of the first that failed, if one must not. If the context ends before that, its cause
// is returned.
func (t *Together) Await(ctx context.Context) error {
	_, err := t.outcome.Await(ctx)
	return err
}

// Completed reports whether the outcome is known.
func (t *Together) Completed() bool { return t.outcome.Completed() }

// Cancel cancels all those that are not complete.
func (t *Together) Cancel() {
	if !t.cancels.Swap(true) { // else this is one of those that it cancels
		cancel(t.futures)
	}
}

// AllFuture completes when all of some futures have succeeded, or when the first of them has failed: see [All].
type AllFuture[T any, E ErrorType] struct {
	dependent []*Method[T, E]
	together  *Together
}

// All waits for all of these futures to succeed, and has their responses. As soon as one fails, it fails with the same error, and the others are
// cancelled. If there are none, it is complete. [AllOf] does the same for futures of different types.
func All[T any, E ErrorType](futures ...*Method[T, E]) *AllFuture[T, E] {
	untyped := make([]Future, len(futures))
	for index, each := range futures {
		untyped[index] = each
	}
	return &AllFuture[T, E]{dependent: futures, together: AllOf(untyped...)}
}

// Success registers what to do when all have succeeded.
func (a *AllFuture[T, E]) Success(handle func()) *AllFuture[T, E] {
	a.together.Success(handle)
	return a
}

// Failure registers what to do when one has failed, whose index it gets.
func (a *AllFuture[T, E]) Failure(handle func(index int)) *AllFuture[T, E] {
	a.together.Failure(handle)
	return a
}

// Await blocks until all have succeeded, and returns their responses in the order of the futures; or until one has failed, with its error. If the context
// ends before that, its cause is returned.
func (a *AllFuture[T, E]) Await(ctx context.Context) ([]T, error) {
	if err := a.together.Await(ctx); err != nil {
		return nil, err
	}
	responses := make([]T, len(a.dependent))
	for index, each := range a.dependent {
		responses[index], _ = each.Await(ctx) // it has succeeded
	}
	return responses, nil
}

// AllDependent returns the futures.
func (a *AllFuture[T, E]) AllDependent() []*Method[T, E] { return a.dependent }

// Completed reports whether the outcome is known.
func (a *AllFuture[T, E]) Completed() bool { return a.together.Completed() }

// Cancel cancels all those that are not complete.
func (a *AllFuture[T, E]) Cancel() { a.together.Cancel() }
