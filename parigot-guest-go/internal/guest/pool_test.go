package guest

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

func TestTasksStartInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool Pool
		defer pool.Close()
		var mu sync.Mutex
		var begun []int
		blocked := make(chan struct{})
		for k := range 100 {
			pool.Do(func() {
				mu.Lock()
				begun = append(begun, k)
				mu.Unlock()
				if k%2 == 0 {
					<-blocked
				}
			})
			synctest.Wait()
		}
		if !slices.IsSorted(begun) || len(begun) != 100 {
			t.Fatalf("started: %v", begun)
		}
		close(blocked)
	})
}

func TestBlockedTaskDoesNotBlockOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool Pool
		defer pool.Close()
		ran := make(chan struct{})
		pool.Do(func() { <-ran })
		pool.Do(func() { close(ran) })
		synctest.Wait()
		if pool.Waiting() {
			t.Fatal("a task has not started")
		}
	})
}

func TestDeferredTasksStartInNextTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		left, ran := 2, 0
		pool := Pool{MayBegin: func() bool {
			mu.Lock()
			defer mu.Unlock()
			left--
			return left >= 0
		}}
		defer pool.Close()
		for range 5 {
			pool.Do(func() { mu.Lock(); defer mu.Unlock(); ran++ })
		}
		for turn, want := range []int{2, 4, 5} {
			synctest.Wait()
			if ran != want || pool.Waiting() != (want < 5) {
				t.Fatalf("after turn %d: %d tasks have run, waiting: %v", turn, ran, pool.Waiting())
			}
			mu.Lock()
			left = 2
			mu.Unlock()
			pool.Resume()
		}
	})
}

func TestWorkersAreReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool Pool
		defer pool.Close()
		for range 1000 {
			pool.Do(func() {})
			synctest.Wait()
			if len(pool.idle) != 1 {
				t.Fatalf("%d workers are parked, want 1", len(pool.idle))
			}
		}
	})
}
