package abi

import (
	"math"
	"sync/atomic"
)

const (
	// ControlBytes is the size of a [Control].
	ControlBytes = 256
	// Never is the wake time of a guest that waits for messages only.
	Never = math.MaxUint64
	// NoCall is the call number for "no call".
	NoCall = math.MaxUint64
)

// Descriptors that are open in every guest from the start. The first two are nonblocking.
const (
	// IdleFD becomes readable when no goroutine can run any more, which is the end of a turn.
	IdleFD = 3
	// ParkedFD never becomes readable. A goroutine that reads it keeps the runtime from reporting a
	// deadlock while the guest waits for its host.
	ParkedFD = 4
	// LogFD takes log frames of a guest that has not sent its manifest, one with each write.
	LogFD = 5
)

// Control is the control block: a fixed record in the guest's memory that holds the state shared by
// host and guest.
//
// The host reads the block after each turn and after a trap, and may write yieldNow and timersMoved
// in the middle of a turn. Atomics keep the compiler from moving or merging loads and stores.
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
	_               uint32
	begun           [2]atomic.Uint64
	markingAddress  atomic.Uint64
	_               [16]uint64
}

// Open sets the fields that are not 0 at the start: no call is being served, and no wake time is
// set.
func (c *Control) Open() {
	c.progressCall.Store(NoCall)
	c.wakeAtNS.Store(Never)
}

// SetInbox sets the address and the capacity of the inbox, in bytes.
func (c *Control) SetInbox(address, capacity uint64) {
	c.inboxAddress.Store(address)
	c.inboxCapacity.Store(capacity)
}

// SetOutbox sets the address of the outbox and the number of its bytes that are whole frames.
func (c *Control) SetOutbox(address, committed uint64) {
	c.outboxAddress.Store(address)
	c.outboxCommitted.Store(committed)
}

// SetProgress sets the call of the running task, or [NoCall], with its service and method.
func (c *Control) SetProgress(call uint64, service, method uint32) {
	c.progressService.Store(service)
	c.progressMethod.Store(method)
	c.progressCall.Store(call)
}

// SetBegun records that the handler of an inbound call is about to run. Concurrent calls of
// SetBegun keep the highest number of each number space: numbers below 2^63, and numbers from 2^63.
func (c *Control) SetBegun(call uint64) {
	begun := &c.begun[call>>63]
	for before := begun.Load(); before < call; before = begun.Load() {
		if begun.CompareAndSwap(before, call) {
			return
		}
	}
}

// YieldNow reports whether the host requests the end of the turn.
func (c *Control) YieldNow() bool { return c.yieldNow.Load() != 0 }

// TimersMoved reports whether only Go's runtime knows when its next timer is due. The host sets
// this flag when the guest reads the clock, as every guest that sets a timer does, and when a timer
// is due.
func (c *Control) TimersMoved() bool { return c.timersMoved.Load() != 0 }

// SetMarkingAddress sets the address of a uint32 that is not 0 while the garbage collector marks.
func (c *Control) SetMarkingAddress(address uint64) { c.markingAddress.Store(address) }

// SetTurn sets the result of the turn: ready work, the latest time of the next turn, and the number
// of polled tasks.
func (c *Control) SetTurn(more bool, wakeAtNS, polls uint64) {
	var isMore uint32
	if more {
		isMore = 1
	}
	c.more.Store(isMore)
	c.wakeAtNS.Store(wakeAtNS)
	c.polls.Store(polls)
}

// SetPanicBuffer sets the address and the capacity of the buffer for a panic's text, in bytes.
func (c *Control) SetPanicBuffer(address, capacity uint64) {
	c.panicAddress.Store(address)
	c.panicCapacity.Store(capacity)
}

// SetPanic sets the length of a panic's text in the buffer, in bytes.
func (c *Control) SetPanic(bytes uint64) { c.panicBytes.Store(bytes) }
