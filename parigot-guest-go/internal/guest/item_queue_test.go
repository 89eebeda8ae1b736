package guest

import (
	"slices"
	"testing"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// pass adds and takes items of that size. It returns the credits.
func pass(queue *itemQueue, items, bytes int) (credits []abi.Credit) {
	for range items {
		queue.push(make([]byte, bytes))
	}
	for range items {
		if _, credit, isDue := queue.take(); isDue {
			credits = append(credits, credit)
		}
	}
	return credits
}

func TestCreditIsGrantedWhenHalfAWindowWasTaken(t *testing.T) {
	queue := newItemQueue()
	for step, c := range []struct {
		bytes int
		want  []abi.Credit
	}{
		{10, nil},
		{10, []abi.Credit{{Items: 6, Bytes: 4_116}}},
		{10, nil},
		// An item longer than half a window.
		{2_100, []abi.Credit{{Items: 8, Bytes: 6_226}}},
	} {
		if found := pass(&queue, 1, c.bytes); !slices.Equal(found, c.want) {
			t.Errorf("step %d: found %v, want %v", step, found, c.want)
		}
	}
}

func TestWindowDoublesWhenAReaderWaitsAfterAWholeOne(t *testing.T) {
	queue := newItemQueue()
	check := func(want abi.Credit) {
		t.Helper()
		if found, isDue := queue.wait(); isDue != (want != abi.Credit{}) || isDue && found != want {
			t.Errorf("found %v, %v, want %v", found, isDue, want)
		}
	}
	pass(&queue, 4, 0)
	check(abi.Credit{Items: 12, Bytes: 4_096})
	check(abi.Credit{}) // nothing was taken since
	pass(&queue, 7, 0)
	check(abi.Credit{}) // less than a window was taken
	pass(&queue, 1, 100_000)
	check(abi.Credit{Items: 20, Bytes: 108_192})
	for range 10 {
		pass(&queue, 256, 8_192)
		queue.wait()
	}
	if queue.window != abi.WindowMax {
		t.Errorf("the window is %v", queue.window)
	}
}

func TestEndNeedsNoCredit(t *testing.T) {
	queue := newItemQueue()
	for range 4 {
		queue.push(nil)
	}
	waiting := queue.changed.next()
	queue.complete()
	<-waiting
	queue.push(nil) // is dropped
	for range 4 {
		if _, credit, isDue := queue.take(); isDue {
			t.Errorf("found credit %v", credit)
		}
	}
	if !queue.isReady() || len(queue.items) > 0 || !queue.isComplete {
		t.Errorf("found %+v", queue)
	}
}

func TestItemsThatWereDroppedAreNotComplete(t *testing.T) {
	end, complete, discard := (*itemQueue).end, (*itemQueue).complete, (*itemQueue).discard
	for name, c := range map[string]struct {
		events []func(*itemQueue)
		want   bool
	}{
		"end":                {[]func(*itemQueue){complete}, true},
		"end, then discard":  {[]func(*itemQueue){complete, discard}, true},
		"discard, then end":  {[]func(*itemQueue){discard, complete}, false},
		"reply before end":   {[]func(*itemQueue){end, complete}, false},
		"items are dropped":  {[]func(*itemQueue){addItem, complete, discard}, false},
		"items are not read": {[]func(*itemQueue){addItem, complete}, true},
	} {
		queue := newItemQueue()
		for _, event := range c.events {
			event(&queue)
		}
		if queue.isComplete != c.want {
			t.Errorf("%s: complete is %v", name, queue.isComplete)
		}
	}
}

func addItem(queue *itemQueue) { queue.push(nil) }
