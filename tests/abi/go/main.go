// Probe is a parigot guest in Go without generated code and without an SDK. It shows that Go can
// use the ABI directly.
//
// The guest exports the service echo.v1.Echo. The method Echo sleeps for 10 ms of the guest's time,
// logs a line and answers with the request. Build the guest with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o probe.wasm .
//
// A turn passes each call to a goroutine, and then reads a descriptor of the host until Go's
// runtime has nothing left to run. So handlers sleep and block as in any Go program, and the host
// learns from the runtime when the next timer is due.
package main

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"time"
	"unsafe"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

const (
	turnOK             = 0
	turnMalformedInbox = 1
)

var manifest = abi.Manifest{Exports: []abi.Service{{
	Name:    "echo.v1.Echo",
	Methods: []abi.Method{{Name: "Echo"}},
}}}

// The state of the guest. A module has one guest.
var (
	control abi.Control
	idle    *os.File
	inbox   []byte
	calls   sync.WaitGroup

	outboxLock sync.Mutex
	outbox     []byte
)

//go:wasmexport parigot_abi
func version() uint32 { return abi.Current.Packed() }

//go:wasmexport parigot_open
func open() uint32 {
	control.Open()
	idle = os.NewFile(abi.IdleFD, "idle")
	parked := os.NewFile(abi.ParkedFD, "parked")
	go func() {
		_, err := parked.Read(make([]byte, 1))
		panic(err)
	}()
	fmt.Println("the probe is open")
	return uint32(address(&control))
}

//go:wasmexport parigot_inbox
func growInbox(_, size uint32) {
	inbox = make([]byte, size)
	control.SetInbox(address(&inbox[0]), uint64(size))
}

//go:wasmexport parigot_turn
func turn(_, inboxBytes, _ uint32) uint32 {
	outbox = outbox[:0]
	control.SetOutbox(0, 0)
	_, frames, err := abi.SplitPrologue(inbox[:inboxBytes])
	if err != nil {
		return turnMalformedInbox
	}
	for frame, err := range abi.Frames(frames) {
		if err != nil {
			return turnMalformedInbox
		}
		handle(frame)
	}
	if _, err := idle.Read(make([]byte, 1)); err != nil {
		panic(err)
	}
	control.SetTurn(false, abi.Never, 0) // no wake time: the host knows the runtime's next timer
	return turnOK
}

// handle processes a frame. The frame lies in the inbox, which the next turn overwrites.
func handle(frame abi.Frame) {
	switch frame.Kind {
	case abi.KindStart:
		send(abi.Frame{Header: abi.NewHeader(abi.KindManifest), Payload: manifest.Append(nil)})
		send(abi.Frame{Header: abi.NewHeader(abi.KindLaunch)})
	case abi.KindLaunched:
		send(reply(abi.LaunchNumber, nil))
	case abi.KindCall:
		number, request := frame.Number, bytes.Clone(frame.Payload)
		calls.Go(func() {
			control.SetBegun(number)
			echo(number, request)
		})
	case abi.KindStop:
		go func() {
			calls.Wait()
			send(abi.Frame{Header: abi.NewHeader(abi.KindExit)})
		}()
	}
}

func echo(number uint64, request []byte) {
	time.Sleep(10 * time.Millisecond)
	line := abi.NewHeader(abi.KindLog)
	line.Number, line.Status = number, uint32(abi.LevelInfo)
	send(abi.Frame{Header: line, Payload: fmt.Appendf(nil, "an echo of %d bytes", len(request))})
	send(reply(number, request))
}

func reply(number uint64, response []byte) abi.Frame {
	header := abi.NewHeader(abi.KindReply)
	header.Number = number
	return abi.Frame{Header: header, Payload: response}
}

// send appends a frame to the outbox, and then announces the new length in the control block.
func send(frame abi.Frame) {
	outboxLock.Lock()
	defer outboxLock.Unlock()
	whole, err := frame.Append(outbox)
	if err != nil {
		panic(err)
	}
	outbox = whole
	control.SetOutbox(address(&outbox[0]), uint64(len(outbox)))
}

func address[T any](of *T) uint64 { return uint64(uintptr(unsafe.Pointer(of))) }

// main never runs: the module is a library.
func main() {}
