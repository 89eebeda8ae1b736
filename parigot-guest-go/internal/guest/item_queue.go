package guest

import (
	"bytes"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// itemQueue holds the items of a stream that have arrived and were not taken, and the credit of
// their sender. Their number is limited by the credit.
//
// The sender gets new credit when half a window was taken, so it need not wait for a reader that is
// as fast as itself. A reader that waits after it has taken a whole window is faster than the
// window allows: then the window doubles, up to [abi.WindowMax].
type itemQueue struct {
	items      [][]byte
	isEnded    bool // no item will arrive
	isComplete bool // the sender has sent all items, and none was dropped
	changed    changed

	// Totals since the call began.
	taken, granted abi.Credit
	takenAtWait    abi.Credit // value of taken when a reader waited the last time
	window         abi.Credit
}

func newItemQueue() itemQueue {
	return itemQueue{granted: abi.InitialCredit, window: abi.InitialCredit}
}

// push adds an item, unless the items have ended. The memory of the item may be reused.
func (q *itemQueue) push(item []byte) {
	if !q.isEnded {
		q.items = append(q.items, bytes.Clone(item))
		q.changed.announce()
	}
}

// end marks the end of the items.
func (q *itemQueue) end() {
	q.isEnded = true
	q.changed.announce()
}

// complete marks the end of the items if all of them have arrived.
func (q *itemQueue) complete() {
	q.isComplete = q.isComplete || !q.isEnded
	q.end()
}

// discard marks the end of the items, and drops those that were not taken.
func (q *itemQueue) discard() {
	q.isComplete = q.isComplete && len(q.items) == 0
	q.items = nil
	q.end()
}

// isReady reports whether a reader need not wait.
func (q *itemQueue) isReady() bool { return len(q.items) > 0 || q.isEnded }

// take takes the next item, which must exist. It reports the new credit of the sender if it is due.
func (q *itemQueue) take() (item []byte, credit abi.Credit, isDue bool) {
	item = q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	q.taken = q.taken.WithItem(len(item))
	left := abi.Credit{
		Items: q.granted.Items - min(q.granted.Items, q.taken.Items),
		Bytes: q.granted.Bytes - min(q.granted.Bytes, q.taken.Bytes),
	}
	if left.Items <= q.window.Items/2 || left.Bytes <= q.window.Bytes/2 {
		credit, isDue = q.grant()
	}
	return item, credit, isDue
}

// wait registers that a reader waits. It reports the new credit of the sender if the window grows.
func (q *itemQueue) wait() (credit abi.Credit, isDue bool) {
	before := q.takenAtWait
	q.takenAtWait = q.taken
	grown := abi.Credit{
		Items: grow(q.window.Items, q.taken.Items-before.Items, abi.WindowMax.Items),
		Bytes: grow(q.window.Bytes, q.taken.Bytes-before.Bytes, abi.WindowMax.Bytes),
	}
	if grown == q.window {
		return abi.Credit{}, false
	}
	q.window = grown
	return q.grant()
}

// grow returns twice the window if all of it was taken, at most the largest window.
func grow(window, taken, windowMax uint64) uint64 {
	if taken < window {
		return window
	}
	return min(2*window, windowMax)
}

// grant extends the credit to a window behind the taken items. It reports false if the credit does
// not change, or if no more items will arrive.
func (q *itemQueue) grant() (credit abi.Credit, isDue bool) {
	extended := q.granted.Max(abi.Credit{
		Items: q.taken.Items + q.window.Items,
		Bytes: q.taken.Bytes + q.window.Bytes,
	})
	isDue = extended != q.granted && !q.isEnded
	q.granted = extended
	return extended, isDue
}
