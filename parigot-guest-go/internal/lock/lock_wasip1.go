// Package lock provides the mutex of this SDK.
package lock

import "runtime"

// Mutex excludes goroutines that share one thread.
//
// A flag is enough, and costs a tenth of a [sync.Mutex]: in wasm Go does not preempt goroutines,
// and no holder of the mutex blocks. Another goroutine finds the mutex held only after a garbage
// collection that ran in between.
type Mutex struct{ held bool }

// Lock waits until the mutex is free, and takes it.
func (m *Mutex) Lock() {
	for m.held {
		runtime.Gosched()
	}
	m.held = true
}

// Unlock frees the mutex.
func (m *Mutex) Unlock() { m.held = false }
