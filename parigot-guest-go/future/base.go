package future

import (
	"context"
	"fmt"

	"github.com/parigot/parigot/parigot-guest-go/internal/goexit"
	"github.com/parigot/parigot/parigot-guest-go/internal/lock"
)

// Base is a future of a single value, without an error.
type Base[T any] struct {
	mu        lock.Mutex
	completed bool
	value     T
	waiting   []func(T)
	done      chan struct{} // created by the first Await
}

// NewBase returns a future without a value.
func NewBase[T any]() *Base[T] { return new(Base[T]) }

// NewBaseWithValue returns a completed future.
func NewBaseWithValue[T any](value T) *Base[T] {
	return &Base[T]{completed: true, value: value}
}

// Set sets the value and runs the waiting handlers in the order of their registration. It reports
// whether there were any.
//
// Set may be called again. A later value is passed to handlers registered later.
func (b *Base[T]) Set(value T) bool {
	b.mu.Lock()
	b.value = value
	handlers := b.complete()
	b.mu.Unlock()
	callAll(handlers, value)
	return len(handlers) > 0
}

// callAll calls the handlers in order, also those after a handler that calls [runtime.Goexit].
func callAll[T any](handlers []func(T), value T) {
	called := 0
	defer func() {
		if called < len(handlers) && goexit.InProgress() {
			callAll(handlers[called:], value)
		}
	}()
	for _, handle := range handlers {
		called++
		handle(value)
	}
}

// complete marks the future as completed and returns the waiting handlers.
func (b *Base[T]) complete() []func(T) {
	handlers := b.waiting
	b.waiting = nil
	b.completed = true
	if b.done != nil {
		close(b.done)
		b.done = nil
	}
	return handlers
}

// Handle registers a handler for the value. The handler runs immediately if there is a value.
func (b *Base[T]) Handle(handle func(T)) {
	b.mu.Lock()
	if b.completed && len(b.waiting) == 0 {
		value := b.value
		b.mu.Unlock()
		handle(value)
		return
	}
	b.waiting = append(b.waiting, handle)
	b.mu.Unlock()
}

// HandleLater registers a handler for the next value, even if there is a value already.
func (b *Base[T]) HandleLater(handle func(T)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, handle)
}

// Await blocks until there is a value, and returns it. If the context ends before, it returns the
// cause of the context.
func (b *Base[T]) Await(ctx context.Context) (T, error) {
	if done := b.wait(); done != nil {
		select {
		case <-done:
		case <-ctx.Done():
			if !b.Completed() {
				var none T
				return none, fmt.Errorf("awaiting a value: %w", context.Cause(ctx))
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.value, nil
}

// wait returns a channel that is closed when there is a value, or nil if there is one already.
func (b *Base[T]) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.completed {
		return nil
	}
	if b.done == nil {
		b.done = make(chan struct{})
	}
	return b.done
}

// Completed reports whether there is a value, or the future was cancelled.
func (b *Base[T]) Completed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.completed
}

// Cancel completes the future with its current value, which may be the zero value, and drops the
// waiting handlers.
func (b *Base[T]) Cancel() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complete()
}

// String returns the state of the future, for people.
func (b *Base[T]) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.completed {
		return "pending"
	}
	return fmt.Sprintf("value: %v", b.value)
}
