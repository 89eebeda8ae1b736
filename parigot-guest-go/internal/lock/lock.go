//go:build !wasip1

// Package lock provides the mutex of this SDK.
package lock

import "sync"

// Mutex is a [sync.Mutex].
type Mutex = sync.Mutex
