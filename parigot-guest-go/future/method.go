package future

import (
	"context"
	"fmt"

	"github.com/parigot/parigot/parigot-guest-go/internal/lock"
)

// Method is a response of type T to come, or an error. The errors of its own are those of the enum E.
//
// It is complete at the latest when it is cancelled. The first completion wins; later ones are ignored.
type Method[T any, E ErrorType] struct {
	hooks Hooks

	mu       lock.Mutex
	phase    phase
	value    T
	err      error
	handlers []handler[T]
	done     chan struct{} // made for whoever waits
}

// Hooks is what the maker of a future adds to it.
type Hooks interface {
	// Run runs the handlers that were registered before the future has completed; without hooks they run where it is completed.
	Run(handlers func())
	// Abandon does what Cancel shall do: it completes the future, or else ErrCanceled does so when it returns.
	Abandon()
	// Idle is told that an Await has nothing to do but wait. It reports whether the future may have completed meanwhile; else the Await blocks.
	Idle() bool
	// Interrupted is told that an Await ends with its context. It reports whether the future ends for the same reason, here or on another
	// goroutine that is about to complete it: then the Await ends as the future does.
	Interrupted() bool
}

// phase is how far a Method is.
type phase uint8

const (
	pending  phase = iota
	draining       // complete, and handlers still run: what is registered waits for its turn
	settled        // complete, and what is registered runs at once
)

// handler has one of two functions.
type handler[T any] struct {
	success func(T)
	failure func(error)
}

// New returns a future that is not complete.
func New[T any, E ErrorType]() *Method[T, E] { return new(Method[T, E]) }

// Init gives hooks to a future that nobody has used yet, for a maker of which the future is a part.
func (m *Method[T, E]) Init(hooks Hooks) { m.hooks = hooks }

// Done returns a future that is complete: with the error, unless that is nil or an E of zero, else with the response.
//
// An E that is an error, and one wrapped in it, is an error of the service; any other error says that there is no answer.
func Done[T any, E ErrorType](out T, err error) *Method[T, E] {
	method := &Method[T, E]{phase: settled}
	if method.err = normalize[E](err); method.err == nil {
		method.value = out
	}
	return method
}

// Complete completes the future: with the error, unless that is nil or an E of zero, else with the response.
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

// CompleteMethod completes the future with an error of the service, unless that is zero, else with the response.
func (m *Method[T, E]) CompleteMethod(out T, err E) {
	if err == 0 {
		m.Complete(out, nil)
	} else {
		m.Complete(out, Error[E]{err})
	}
}

// drain runs the handlers, also those that come while it does.
func (m *Method[T, E]) drain() {
	for {
		m.mu.Lock()
		if len(m.handlers) == 0 {
			m.phase, m.handlers = settled, nil
			m.mu.Unlock()
			return
		}
		first := m.handlers[0]
		m.handlers = m.handlers[1:]
		m.mu.Unlock()
		m.run(first)
	}
}

// run runs a handler if the outcome is the one that it is for. The future is complete.
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

// Success registers what to do with the response.
func (m *Method[T, E]) Success(handle func(T)) *Method[T, E] {
	return m.register(handler[T]{success: handle})
}

// Failure registers what to do with the error: see [Method.Await].
func (m *Method[T, E]) Failure(handle func(error)) *Method[T, E] {
	return m.register(handler[T]{failure: handle})
}

// Await blocks until the future is complete, and returns how. If the context ends before that, its cause is returned; the future
// goes on.
//
// An error of the service is an [Error], and [errors.As] finds the E in it if that is an error. Any other error says that there is no
// answer, for example a *parigot.CallError, or [ErrCanceled].
func (m *Method[T, E]) Await(ctx context.Context) (T, error) {
	for !m.Completed() {
		if m.hooks == nil || ctx.Err() != nil || !m.hooks.Idle() {
			return m.block(ctx)
		}
	}
	return m.value, m.err
}

// block is Await for a goroutine that has nothing else to do.
func (m *Method[T, E]) block(ctx context.Context) (T, error) {
	done := m.wait()
	if done == nil {
		return m.value, m.err
	}
	if ctx.Done() == nil {
		<-done // much cheaper than to select
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

// wait returns what is closed when the future completes, or nil if it has.
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

// Completed reports whether the outcome is known.
func (m *Method[T, E]) Completed() bool {
	m.mu.Lock()
	completed := m.phase != pending
	m.mu.Unlock()
	return completed
}

// Cancel says that nobody wants the response: a future that is not complete fails with [ErrCanceled] or, if it is a call's, with the
// call's error. A callee is told.
func (m *Method[T, E]) Cancel() {
	if m.hooks != nil && !m.Completed() {
		m.hooks.Abandon()
	}
	var none T
	m.Complete(none, ErrCanceled)
}

// String says how far it is, for people.
func (m *Method[T, E]) String() string {
	if !m.Completed() {
		return "pending"
	}
	if m.err != nil {
		return fmt.Sprintf("failure: %v", m.err)
	}
	return fmt.Sprintf("success: %v", m.value)
}
