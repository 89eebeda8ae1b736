package wasip1

import (
	"os"
	"runtime"
	"runtime/metrics"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// A turn ends when no goroutine can run any more. Control then goes to exportTurn from the goroutine that ended the turn, and in the next turn back
// to that goroutine. Both are switches from one goroutine to another, past the scheduler, as between the two sides of [iter.Pull]; only that
// the one side is not always the same.
var (
	pullTurn  func() (struct{}, bool)
	yieldTurn func(struct{}) bool
	// isPulled is whether exportTurn waits for the turn's end. Before that it runs others only if memory is collected.
	isPulled bool
)

// goOn goes on with the goroutine that has ended the last turn, and returns when this one has ended.
func goOn() {
	isPulled = true
	pullTurn()
}

// passControl ends the turn, and returns in the next one.
func passControl() {
	isPulled = false
	yieldTurn(struct{}{})
}

// standBy ends those turns that nobody else has ended, each when the scheduler is idle, which the host tells by making a descriptor readable.
func standBy(yield func(struct{}) bool) {
	yieldTurn = yield
	idle, err := os.NewFile(abi.IdleFD, "idle").SyscallConn()
	if err != nil {
		panic(err)
	}
	for {
		waited := false
		err := idle.Read(func(uintptr) (done bool) {
			// There is nothing to read; it is asked again when the descriptor is readable.
			done, waited = waited, true
			return done
		})
		if err != nil {
			panic(err)
		}
		if isPulled {
			passControl()
		}
	}
}

// endTurn ends the turn in place of standBy, which is much cheaper, if the caller is the last who can run and the host knows when the next timer is
// due. It returns in the next turn, or reports that the turn goes on.
func endTurn() bool {
	if !isPulled || control.TimersMoved() || othersCanRun() {
		return false
	}
	passControl()
	return true
}

var runnable = []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}}

// ownGoroutines is how many goroutines there are in any guest while it runs: the one that runs, that of exportTurn, that of standBy, and the parked
// one.
const ownGoroutines = 4

// othersCanRun reports whether goroutines wait to run besides the one that does.
func othersCanRun() bool {
	if runtime.NumGoroutine() == ownGoroutines+theGuest.Resting() {
		return false // which saves most guests the question to the scheduler
	}
	metrics.Read(runnable)
	return runnable[0].Value.Uint64() > 0
}
