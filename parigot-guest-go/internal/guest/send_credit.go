package guest

import "github.com/parigot/parigot/parigot-guest-go/internal/abi"

// sendCredit is the credit for the items that this guest sends on a stream.
type sendCredit struct {
	granted, sent abi.Credit // totals since the call began
	isClosed      bool       // no item may be sent any more, because the call has ended
	isFinished    bool       // no item may be sent any more, because all are sent
	changed       changed
}

// isReady reports whether a sender need not wait: it may send an item, or none any more.
func (c *sendCredit) isReady() bool {
	return c.isClosed || c.isFinished || c.granted.Permits(c.sent)
}

// extend extends the credit. Of several credits the highest counts.
func (c *sendCredit) extend(credit abi.Credit) {
	c.granted = c.granted.Max(credit)
	c.changed.announce()
}

// close permits no more items.
func (c *sendCredit) close() {
	c.isClosed = true
	c.changed.announce()
}

// changed wakes the goroutines that wait for a change. The zero value has no such goroutine.
type changed struct{ channel chan struct{} }

// announce wakes the goroutines that wait.
func (c *changed) announce() {
	if c.channel != nil {
		close(c.channel)
		c.channel = nil
	}
}

// next returns a channel that is closed by the next announcement.
func (c *changed) next() <-chan struct{} {
	if c.channel == nil {
		c.channel = make(chan struct{})
	}
	return c.channel
}
