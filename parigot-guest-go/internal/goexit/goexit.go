// Package goexit recognizes the end of a goroutine by [runtime.Goexit].
package goexit

import (
	"runtime"
	"strings"
)

// framesMax is the number of frames from a deferred function of this SDK to the call that runs it.
const framesMax = 16

// InProgress reports whether the calling deferred function runs because of [runtime.Goexit], which
// FailNow of package testing calls too. It reports false if a panic or a return runs the function.
//
// The stack tells them apart. A recover would as well, but it would replace the stack of the panic.
func InProgress() bool {
	var callers [framesMax]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		frame, more := frames.Next()
		switch name := strings.TrimPrefix(frame.Function, "runtime."); name {
		case "Goexit":
			return true
		case "gopanic":
			return false
		}
		if !more {
			return false
		}
	}
}
