package future

import (
	"context"
	"fmt"

	"github.com/parigot/parigot/parigot-guest-go/internal/goexit"
	"github.com/parigot/parigot/parigot-guest-go/internal/lock"
)

// Method is a future of a response of type T or an error. The service's errors are values of the
// enum E.
//
// A cancellation completes the future. Only the first completion counts; later ones are ignored.
//
// The mutex guards the fields below it. After the phase has left pending, value and err do not
// change, and are read without the mutex.
type Method[T any, E ErrorType] struct {
	hooks Hooks

	mu       lock.Mutex
	phase    phase
	value    T
	err      error
	handlers []handler[T]
	done     chan struct{} // created by the first Await that blocks
}

// Hooks connects a future to its creator.
type Hooks interface {
	// Run runs the handlers that were registered before the completion. Without hooks, the handlers
	// run on the goroutine that completes the future.
	Run(handlers func())
	// Abandon is called by Cancel. It may complete the future. Otherwise the future completes with
	// ErrCanceled after Abandon has returned.
	Abandon()
	// Idle is called before Await blocks. It reports whether the future may have completed in the
	// meantime; if not, Await blocks.
	Idle() bool
	// Interrupted is called when the context of an Await has ended. It reports whether the future
	// ends for the same reason: it is completed, or another goroutine is about to complete it. Then
	// Await returns the result of the future.
	Interrupted() bool
}

// phase is the state of a Method: pending, then draining if there are handlers, then settled.
type phase uint8

const (
	pending  phase = iota
	draining       // completed, and handlers still run: new handlers are queued
	settled        // completed: new handlers run immediately
)

// handler holds one of two functions.
type handler[T any] struct {
	success func(T)
	failure func(error)
}

// New returns a future that is not completed.
func New[T any, E ErrorType]() *Method[T, E] { return new(Method[T, E]) }

// Init sets the hooks of a future before its first use. A creator that embeds the future calls
// Init.
func (m *Method[T, E]) Init(hooks Hooks) { m.hooks = hooks }

// Done returns a completed future: with the error, unless it is nil, else with the response.
//
// An error that is or wraps an E is an error of the service. Any other error means that there is no
// response.
func Done[T any, E ErrorType](out T, err error) *Method[T, E] {
	method := &Method[T, E]{phase: settled}
	if method.err = normalize[E](err); method.err == nil {
		method.value = out
	}
	return method
}

// Complete completes the future: with the error, unless it is nil, else with the response.
func (m *Method[T, E]) Complete(out T, err error) {
	err = normalize[E](err)
	m.mu.Lock()
	if m.phase != pending {
		m.mu.Unlock()
		return
	}
	if m.err = err; err == nil {
		m.value = out
	}
	if m.done != nil {
		close(m.done)
	}
	if len(m.handlers) == 0 {
		m.phase = settled
		m.mu.Unlock()
		return
	}
	m.phase = draining
	m.mu.Unlock()
	if m.hooks == nil {
		m.drain()
	} else {
		m.hooks.Run(m.drain)
	}
}

// CompleteMethod completes the future: with an error of the service, unless it is 0, else with the
// response.
func (m *Method[T, E]) CompleteMethod(out T, err E) {
	if err == 0 {
		m.Complete(out, nil)
	} else {
		m.Complete(out, Error[E]{Value: err})
	}
}

// drain runs the handlers, including handlers registered in the meantime, and those after a handler
// that calls [runtime.Goexit].
func (m *Method[T, E]) drain() {
	drained := false
	defer func() {
		if !drained && goexit.InProgress() {
			m.drain()
		}
	}()
	for {
		m.mu.Lock()
		if len(m.handlers) == 0 {
			m.phase, m.handlers = settled, nil
			m.mu.Unlock()
			drained = true
			return
		}
		first := m.handlers[0]
		m.handlers = m.handlers[1:]
		m.mu.Unlock()
		m.run(first)
	}
}

// run runs a handler if it matches the outcome. The future must be completed.
func (m *Method[T, E]) run(h handler[T]) {
	switch {
	case m.err == nil && h.success != nil:
		h.success(m.value)
	case m.err != nil && h.failure != nil:
		h.failure(m.err)
	}
}

func (m *Method[T, E]) register(h handler[T]) *Method[T, E] {
	m.mu.Lock()
	if m.phase == settled {
		m.mu.Unlock()
		m.run(h)
		return m
	}
	m.handlers = append(m.handlers, h)
	m.mu.Unlock()
	return m
}

// Success registers a handler for the response.
func (m *Method[T, E]) Success(handle func(T)) *Method[T, E] {
	return m.register(handler[T]{success: handle})
}

// Failure registers a handler for the error: see [Method.Await].
func (m *Method[T, E]) Failure(handle func(error)) *Method[T, E] {
	return m.register(handler[T]{failure: handle})
}

// Await blocks until the future is completed, and returns its response or error. If the context
// ends before, Await returns the cause of the context, and the future continues.
//
// An error of the service is an [Error], and [errors.As] finds the E in it if E is an error type.
// Any other error means that there is no response, for example a *parigot.CallError, or
// [ErrCanceled].
func (m *Method[T, E]) Await(ctx context.Context) (T, error) {
	for !m.Completed() {
		if m.hooks == nil || ctx.Err() != nil || !m.hooks.Idle() {
			return m.block(ctx)
		}
	}
	return m.value, m.err
}

// block is the slow path of Await: it blocks the goroutine.
func (m *Method[T, E]) block(ctx context.Context) (T, error) {
	done := m.wait()
	if done == nil {
		return m.value, m.err
	}
	if ctx.Done() == nil {
		<-done // much cheaper than a select
		return m.value, m.err
	}
	select {
	case <-done:
		return m.value, m.err
	case <-ctx.Done():
	}
	if m.hooks != nil && m.hooks.Interrupted() {
		<-done
	}
	if m.Completed() {
		return m.value, m.err
	}
	var none T
	return none, fmt.Errorf("awaiting an answer: %w", context.Cause(ctx))
}

// wait returns a channel that is closed by the completion, or nil if the future is completed.
func (m *Method[T, E]) wait() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.phase != pending {
		return nil
	}
	if m.done == nil {
		m.done = make(chan struct{})
	}
	return m.done
}

// Completed reports whether the future is completed.
func (m *Method[T, E]) Completed() bool {
	m.mu.Lock()
	completed := m.phase != pending
	m.mu.Unlock()
	return completed
}

// Cancel cancels the future, unless it is completed. The future fails with [ErrCanceled]. The
// future of a call fails with the call's error, and the context of the handler ends.
func (m *Method[T, E]) Cancel() {
	if m.hooks != nil && !m.Completed() {
		m.hooks.Abandon()
	}
	var none T
	m.Complete(none, ErrCanceled)
}

// String returns the state of the future, for people.
func (m *Method[T, E]) String() string {
	if !m.Completed() {
		return "pending"
	}
	if m.err != nil {
		return fmt.Sprintf("failure: %v", m.err)
	}
	return fmt.Sprintf("success: %v", m.value)
}
