package abi

import (
	"math"
	"sync/atomic"
)

const (
	// ControlBytes is the size of a [Control].
	ControlBytes = 128
	// Never is the time at which a guest wants to be woken that waits for messages alone.
	Never = math.MaxUint64
	// NoCall stands for the number of a call where there is none.
	NoCall = math.MaxUint64
)

// Descriptors that are open in every guest from the start, nonblocking.
const (
	// IdleFD can be read once no goroutine can run any more, which is when a turn shall end.
	IdleFD = 3
	// ParkedFD can never be read. A goroutine that tries keeps the runtime from taking a guest that waits for its host for a
	// deadlock.
	ParkedFD = 4
)

// Control is the control block: a fixed record in the guest's memory through which host and guest see each other's state.
//
// The host reads it after each turn and after a trap, and may write yieldNow and timersMoved in the middle of a turn. Hence the atomics: a
// store has happened where the program says so.
type Control struct {
	inboxAddress    atomic.Uint64
	inboxCapacity   atomic.Uint64
	outboxAddress   atomic.Uint64
	outboxCommitted atomic.Uint64
	progressCall    atomic.Uint64
	progressService atomic.Uint32
	progressMethod  atomic.Uint32
	yieldNow        atomic.Uint32
	more            atomic.Uint32
	wakeAtNS        atomic.Uint64
	polls           atomic.Uint64
	panicAddress    atomic.Uint64
	panicCapacity   atomic.Uint64
	panicBytes      atomic.Uint64
	timersMoved     atomic.Uint32
	_               [7]uint32
}

// Open sets what a zero value does not say: that no call is being served and that no turn is wanted.
func (c *Control) Open() {
	c.progressCall.Store(NoCall)
	c.wakeAtNS.Store(Never)
}

// SetInbox says where the inbox is and how many bytes it holds.
func (c *Control) SetInbox(address, capacity uint64) {
	c.inboxAddress.Store(address)
	c.inboxCapacity.Store(capacity)
}

// SetOutbox says where the outbox is and how many of its bytes are whole frames.
func (c *Control) SetOutbox(address, committed uint64) {
	c.outboxAddress.Store(address)
	c.outboxCommitted.Store(committed)
}

// SetProgress says which call the running task serves, or [NoCall], and its service and method.
func (c *Control) SetProgress(call uint64, service, method uint32) {
	c.progressService.Store(service)
	c.progressMethod.Store(method)
	c.progressCall.Store(call)
}

// YieldNow reports whether the host wants the turn to end.
func (c *Control) YieldNow() bool { return c.yieldNow.Load() != 0 }

// TimersMoved reports whether only Go's runtime can say when its next timer is due: one may have been set in this turn, for which the clock must
// be read, or is due now.
func (c *Control) TimersMoved() bool { return c.timersMoved.Load() != 0 }

// SetTurn says how the turn ended: whether work is ready, when to wake at the latest, and how many tasks were polled.
func (c *Control) SetTurn(more bool, wakeAtNS, polls uint64) {
	var isMore uint32
	if more {
		isMore = 1
	}
	c.more.Store(isMore)
	c.wakeAtNS.Store(wakeAtNS)
	c.polls.Store(polls)
}

// SetPanicBuffer says where a panic's text would be written.
func (c *Control) SetPanicBuffer(address, capacity uint64) {
	c.panicAddress.Store(address)
	c.panicCapacity.Store(capacity)
}

// SetPanic says that a panic's text of so many bytes stands in the buffer.
func (c *Control) SetPanic(bytes uint64) { c.panicBytes.Store(bytes) }
