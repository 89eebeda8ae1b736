package wasip1

import (
	"os"
	"runtime"
	"runtime/metrics"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// A turn ends when no goroutine can run any more. At the end of a turn, control passes from the
// goroutine that ends the turn to exportTurn. At the start of the next turn, control returns to the
// same goroutine. Both switches bypass the scheduler, as the two sides of [iter.Pull] do; but the
// goroutine that yields is not always the same.
var (
	pullTurn  func() (struct{}, bool)
	yieldTurn func(struct{}) bool
	// isPulled is true while exportTurn waits for the end of the turn. Until then, other goroutines
	// run only during a garbage collection, and must not end the turn.
	isPulled bool
	// timersUnknown is true if a turn has ended before the scheduler could tell the host when the
	// next timer is due.
	timersUnknown bool
	// mayBeStale is true if endIdleTurns may have been woken in an earlier turn that another
	// goroutine has ended. While the garbage collector marks, the host wakes endIdleTurns although
	// goroutines can run, and counts on the end of that turn. In a later turn the wake says
	// nothing.
	mayBeStale bool
)

// runTurn resumes the goroutine that ended the last turn, and returns at the end of this turn.
func runTurn() {
	isPulled = true
	pullTurn()
}

// yieldToHost ends the turn, and returns in the next turn.
func yieldToHost() {
	isPulled = false
	yieldTurn(struct{}{})
}

// endIdleTurns is the slow path: it ends each turn that no other goroutine has ended, when the
// scheduler is idle. The host reports an idle scheduler by a readable descriptor.
func endIdleTurns(yield func(struct{}) bool) {
	yieldTurn = yield
	idle, err := os.NewFile(abi.IdleFD, "idle").SyscallConn()
	if err != nil {
		panic(err)
	}
	for {
		waited := false
		err := idle.Read(func(uintptr) (done bool) {
			// There is nothing to read. The runtime calls this function again when the descriptor
			// is readable.
			done, waited = waited, true
			return done
		})
		if err != nil {
			panic(err)
		}
		switch {
		case !isPulled:
		case mayBeStale:
			mayBeStale = false // if no goroutine can run, the next wake follows at once
		default:
			timersUnknown = false
			yieldToHost()
		}
	}
}

// endTurn is the fast path: it ends the turn on the calling goroutine, and returns true in the next
// turn. It saves the switches to endIdleTurns and the host's poll of the descriptor.
//
// endTurn returns false, and the turn continues, if another goroutine can run, or if the host does
// not know when the next timer is due.
func endTurn() bool {
	if !isPulled || timersUnknown || control.TimersMoved() || othersCanRun() {
		return false
	}
	mayBeStale = mayBeStale || writeBarrier != 0 || isWatching
	yieldToHost()
	return true
}

// runnable is the number of goroutines that can run, without the one that reads the metric.
var runnable = []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}}

// ownGoroutines is the number of goroutines in every guest while it runs: the running goroutine,
// those of exportTurn and endIdleTurns, and the parked one. A larger number in a guest disables the
// shortcut in othersCanRun. A smaller number makes the shortcut wrong: a turn would end while a
// goroutine can run. An end-to-end test compares the constant with a fresh guest.
const ownGoroutines = 4

// othersCanRun reports whether another goroutine can run.
func othersCanRun() bool {
	if runtime.NumGoroutine() == ownGoroutines+theGuest.Resting() {
		// Every other goroutine waits until the SDK wakes it. For most guests this count saves the
		// much more expensive read of the metric.
		return false
	}
	return anyRunnable()
}

// anyRunnable reports whether another goroutine can run, the runtime's own goroutines included.
func anyRunnable() bool {
	metrics.Read(runnable)
	return runnable[0].Value.Uint64() > 0
}
