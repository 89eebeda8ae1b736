package goexit

import (
	"runtime"
	"testing"
)

// seen returns the result of InProgress in a deferred function that body leaves behind.
func seen(body func()) bool {
	seen := make(chan bool, 1)
	go func() {
		defer func() { _ = recover() }()
		defer func() { seen <- InProgress() }()
		body()
	}()
	return <-seen
}

func TestOnlyGoexitIsInProgress(t *testing.T) {
	for _, c := range []struct {
		name string
		body func()
		want bool
	}{
		{"a return", func() {}, false},
		{"Goexit", runtime.Goexit, true},
		{"FailNow", (&testing.T{}).FailNow, true},
		{"a panic", func() { panic("on purpose") }, false},
		{"a runtime error", func() { _ = []int{}[len(t.Name())] }, false},
		{"a panic during Goexit", func() {
			defer func() { panic("on purpose") }()
			runtime.Goexit()
		}, false},
		{"Goexit during a panic", func() {
			defer runtime.Goexit()
			panic("on purpose")
		}, true},
		{"Goexit after a recovered panic", func() {
			func() {
				defer func() { _ = recover() }()
				panic("on purpose")
			}()
			runtime.Goexit()
		}, true},
	} {
		if seen(c.body) != c.want {
			t.Errorf("%s: want %v", c.name, c.want)
		}
	}
}
