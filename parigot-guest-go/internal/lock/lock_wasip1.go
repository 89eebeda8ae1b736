// Package lock has the mutex of this SDK.
package lock

import "runtime"

// Mutex keeps goroutines apart that share one thread. Whoever holds it does not block, so another goroutine meets it only if memory was collected
// in between; a flag does then, and costs a tenth of a [sync.Mutex].
type Mutex struct{ held bool }

// Lock waits until nobody holds it.
func (m *Mutex) Lock() {
	for m.held {
		runtime.Gosched()
	}
	m.held = true
}

// Unlock lets the next one hold it.
func (m *Mutex) Unlock() { m.held = false }
