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

// What parigot_turn returns.
const (
	turnOK             = 0
	turnMalformedInbox = 1
)

// The guest: a module has one.
var (
	control   abi.Control
	panicText [2048]byte
	inbox     []byte
	sent      outbox
	theGuest  *guest.Guest
	polls     polled
	turnNS    uint64 // when the turn began, on the guest's monotonic clock
)

// polled counts the tasks of a turn.
type polled struct{ begun, most uint32 }

// userMain is the main of the program that this package is part of. In a library nobody calls it but us.
//
//go:linkname userMain main.main
func userMain()

//go:wasmexport parigot_abi
func exportABI() uint32 { return abi.Current.Packed() }

//go:wasmexport parigot_open
func exportOpen() uint32 {
	control.Open()
	control.SetPanicBuffer(address(&panicText[0]), uint64(len(panicText)))
	theGuest = guest.New(&sent, time.Now())
	theGuest.MayBegin = mayBegin
	guest.SetCurrent(theGuest)
	theGuest.EndTurn = endTurn
	theGuest.Clock = func() uint64 { return turnNS }
	pullTurn, _ = iter.Pull(standBy)
	parked := os.NewFile(abi.ParkedFD, "parked")
	go func() {
		_, err := parked.Read(make([]byte, 1))
		panic(fmt.Sprint("the host let a goroutine go on that must wait: ", err))
	}()
	return uint32(address(&control))
}

//go:wasmexport parigot_inbox
func exportInbox(_, size uint32) {
	inbox = make([]byte, size)
	control.SetInbox(address(&inbox[0]), uint64(size))
}

// exportTurn hands the frames that have come to goroutines, and returns when none of these can run any more.
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
	goOn()
	if !theGuest.Declared() {
		panic("parigot: main waits for something before it has called Launch or Run")
	}
	// The host knows from the runtime when the next timer is due.
	control.SetTurn(theGuest.Waiting(), abi.Never, uint64(polls.begun))
	return turnOK
}

// mayBegin counts a task that is about to begin, if the host's limits leave room for it.
func mayBegin() bool {
	if polls.begun >= polls.most || control.YieldNow() {
		return false
	}
	polls.begun++
	return true
}

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

func runMain() {
	userMain()
	theGuest.Leave(0, "")
}

func address[T any](of *T) uint64 { return uint64(uintptr(unsafe.Pointer(of))) }
