package wasip1

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"time"
	"unsafe" // also for go:linkname

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// Results of parigot_turn.
const (
	turnOK             = 0
	turnMalformedInbox = 1
)

// The state of the guest. A module has one guest.
var (
	control   abi.Control
	panicText [2048]byte
	inbox     []byte
	sent      outbox
	theGuest  *guest.Guest
	polls     polled
	turnNS    uint64 // start of the turn on the guest's monotonic clock
)

// polled counts the tasks of a turn, up to a limit.
type polled struct{ begun, most uint32 }

// userMain is the function main of the user's program. The module is a library, so Go's runtime
// does not call main; runMain does.
//
//go:linkname userMain main.main
func userMain()

// writeBarrier is not 0 while the garbage collector marks. Go's runtime promises to keep it for
// packages that use it in this way. The host reads it in long turns, to spread the marking over
// several turns.
//
//go:linkname writeBarrier runtime.writeBarrier
var writeBarrier uint32

//go:wasmexport parigot_abi
func exportABI() uint32 { return abi.Current.Packed() }

//go:wasmexport parigot_open
func exportOpen() uint32 {
	control.Open()
	control.SetPanicBuffer(address(&panicText[0]), uint64(len(panicText)))
	control.SetMarkingAddress(address(&writeBarrier))
	theGuest = guest.New(&sent, time.Now())
	theGuest.MayBegin = mayBegin
	theGuest.MustYield = control.YieldNow
	guest.SetCurrent(theGuest)
	theGuest.EndTurn = endTurn
	theGuest.Clock = func() uint64 { return turnNS }
	pullTurn, _ = iter.Pull(endIdleTurns)
	watchSweeps()
	parked := os.NewFile(abi.ParkedFD, "parked")
	// While a goroutine waits for a descriptor, the runtime does not report a deadlock.
	go func() {
		_, err := parked.Read(make([]byte, 1))
		panic(fmt.Sprint("parigot: the host ended the read of the parked descriptor: ", err))
	}()
	return uint32(address(&control))
}

//go:wasmexport parigot_inbox
func exportInbox(_, size uint32) {
	inbox = make([]byte, size)
	control.SetInbox(address(&inbox[0]), uint64(size))
}

// exportTurn passes the incoming frames to goroutines, and returns when no goroutine can run any
// more.
//
//go:wasmexport parigot_turn
func exportTurn(_, inboxBytes, maxPolls uint32) uint32 {
	sent.clear()
	polls = polled{most: maxPolls}
	if err := takeInbox(inboxBytes); err != nil {
		control.SetPanic(uint64(copy(panicText[:], err.Error())))
		return turnMalformedInbox
	}
	theGuest.Resume()
	runTurn()
	if !theGuest.Declared() {
		panic("parigot: main blocks before it has called Launch or Run: before main waits, call " +
			"the generated Run… or parigot.Run in a service, parigot.Launch in a program")
	}
	// No wake time: the host knows from Go's runtime when the next timer is due.
	control.SetTurn(theGuest.Waiting() || isCut, abi.Never, uint64(polls.begun))
	return turnOK
}

// mayBegin reports whether another task may start within the host's limits, and counts the task.
func mayBegin() bool {
	if polls.begun >= polls.most || control.YieldNow() {
		return false
	}
	polls.begun++
	return true
}

// takeInbox passes the frames of the inbox to the guest.
func takeInbox(inboxBytes uint32) error {
	if uint64(inboxBytes) > uint64(len(inbox)) {
		return errors.New("the inbox is shorter than announced")
	}
	prologue, frames, err := abi.SplitPrologue(inbox[:inboxBytes])
	if err != nil {
		return err
	}
	turnNS = prologue.MonotonicNS
	for frame, err := range abi.Frames(frames) {
		if err != nil {
			return err
		}
		if err := theGuest.Take(frame); err != nil {
			return err
		}
		if frame.Kind == abi.KindStart {
			go runMain()
		}
	}
	return nil
}

// runMain runs the user's program, and then exits with status 0.
func runMain() {
	userMain()
	theGuest.Leave(0, "")
}

// address returns the address of a value in the memory of the module.
func address[T any](of *T) uint64 { return uint64(uintptr(unsafe.Pointer(of))) }
