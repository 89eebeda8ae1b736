package wasip1

import "runtime"

// After a garbage collection, a goroutine of the runtime sweeps the whole memory. The goroutine can
// always run, so the turn would not end before. But it lets other goroutines run now and then, and
// one of these ends the turn.

var (
	// isWatching is true while endTurnsOfSweep runs.
	isWatching bool
	// isCut is true if the turn has ended although goroutines can run.
	isCut bool
)

// firstSwept is an object of the size that is swept first, which is above 32 KiB.
type firstSwept [33 << 10]byte

// watchSweeps makes the runtime start endTurnsOfSweep at the beginning of each sweep. The runtime
// calls a finalizer once it has swept the unused object.
func watchSweeps() {
	runtime.SetFinalizer(new(firstSwept), func(*firstSwept) {
		if !isWatching {
			isWatching = true
			go endTurnsOfSweep()
		}
		watchSweeps()
	})
}

// endTurnsOfSweep ends turns at the host's request, until no other goroutine can run. Each look
// counts as a task, so that the number of tasks in the control block determines the turn.
func endTurnsOfSweep() {
	for runtime.Gosched(); anyRunnable(); runtime.Gosched() {
		if isPulled && theGuest.Declared() && !mayBegin() {
			timersUnknown = timersUnknown || control.TimersMoved()
			isCut, mayBeStale = true, true
			yieldToHost()
			isCut = false
		}
	}
	isWatching = false
}
