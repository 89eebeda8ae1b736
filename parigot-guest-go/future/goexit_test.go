package future_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/parigot/parigot/parigot-guest-go/future"
)

// on runs a function on a goroutine of its own, and returns when the goroutine has ended.
func on(do func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		do()
	}()
	<-ended
}

func TestGoexitInAHandlerDoesNotSkipTheOthers(t *testing.T) {
	made := future.New[int, menuErr]()
	value := future.NewBase[int]()
	var ran []string
	made.Success(func(int) { runtime.Goexit() }).Success(func(int) { ran = append(ran, "method") })
	value.Handle(func(int) { runtime.Goexit() })
	value.Handle(func(int) { ran = append(ran, "base") })
	on(func() { made.Complete(1, nil) })
	on(func() { value.Set(1) })
	on(func() { made.Success(func(int) { ran = append(ran, "later") }) })
	if len(ran) != 3 {
		t.Fatalf("ran only %v", ran)
	}
}

func TestGoexitInThenAndMapFailsTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := future.New[int, menuErr]()
		then := future.Then(first, func(int) *future.Method[int, menuErr] {
			runtime.Goexit()
			return nil
		})
		mapped := future.Map(first, func(int) int {
			runtime.Goexit()
			return 0
		})
		go first.Complete(1, nil)
		for _, each := range []*future.Method[int, menuErr]{then, mapped} {
			if _, err := each.Await(context.Background()); !errors.Is(err, future.ErrGoexit) {
				t.Errorf("found %v", err)
			}
		}
	})
}
