//go:build !wasip1

// Package lock has the mutex of this SDK.
package lock

import "sync"

// Mutex keeps goroutines apart.
type Mutex = sync.Mutex
