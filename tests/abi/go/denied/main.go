// Denied is a Go guest that attempts forbidden operations, and prints the results.
//
// The guest sends no frames: parigot_turn runs the operation that a test of the host's WASI
// functions selects, and the test compares the printed lines.
package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

var control abi.Control

//go:wasmexport parigot_abi
func version() uint32 { return abi.Current.Packed() }

//go:wasmexport parigot_open
func open() uint32 {
	control.Open()
	return uint32(uintptr(unsafe.Pointer(&control)))
}

//go:wasmexport parigot_inbox
func growInbox(_, _ uint32) {}

// Operations of parigot_turn. The tests pass an operation instead of the number of bytes in the
// inbox.
const (
	look = iota
	sleep
	wait
	exit
	crash
	write
)

//go:wasmexport parigot_turn
func turn(_, what, amount uint32) uint32 {
	switch what {
	case look:
		lookAround()
	case sleep:
		time.Sleep(time.Hour)
	case wait:
		parked := os.NewFile(abi.ParkedFD, "parked")
		_, err := parked.Read(make([]byte, 1))
		fmt.Println("parked:", err)
	case exit:
		os.Exit(int(amount))
	case crash:
		panic("the guest gives up")
	case write:
		bytes := make([]byte, amount)
		for k := range bytes {
			bytes[k] = "0123456789\n"[k%11]
		}
		n, err := os.Stdout.Write(bytes)
		fmt.Fprintln(os.Stderr, "wrote", n, err)
	}
	return 0
}

func lookAround() {
	fmt.Println("args:", os.Args)
	fmt.Println("env:", os.Environ())
	fmt.Println("time:", time.Now().UTC().Format(time.RFC3339Nano))
	start := time.Now()
	for range 1_000_000 {
	}
	fmt.Println("passed:", time.Since(start))
	random := make([]byte, 4)
	_, err := rand.Read(random)
	fmt.Printf("random: %x %v\n", random, err)

	attempt := func(what string, err error) {
		errno, _ := errors.AsType[syscall.Errno](err)
		fmt.Printf("%s: %d %v\n", what, uint32(errno), errors.Is(err, fs.ErrPermission))
	}
	_, err = os.Open("/etc/passwd")
	attempt("open", err)
	_, err = os.Open("relative")
	attempt("open relative", err)
	attempt("create", os.WriteFile("/tmp/file", nil, 0o600))
	_, err = os.ReadDir("/")
	attempt("read a directory", err)
	_, err = os.Stat("/")
	attempt("stat", err)
	attempt("remove", os.Remove("/"))
	attempt("make a directory", os.Mkdir("/tmp/directory", 0o700))
	attempt("rename", os.Rename("/a", "/b"))
	attempt("link", os.Link("/a", "/b"))
	attempt("symlink", os.Symlink("/a", "/b"))
	_, err = os.Readlink("/a")
	attempt("read a link", err)
	attempt("set times", os.Chtimes("/a", time.Now(), time.Now()))
	attempt("truncate", os.Truncate("/a", 1))
	_, err = os.Stdin.Read(make([]byte, 1))
	attempt("read from standard input", err)
	_, err = os.Stdout.Seek(1, 0)
	attempt("seek in standard output", err)
	_, err = os.Stdout.ReadAt(make([]byte, 1), 0)
	attempt("read from standard output", err)
	_, err = os.Stdout.WriteAt(make([]byte, 1), 0)
	attempt("write into standard output", err)
	_, err = os.Stdout.Stat()
	attempt("stat standard output", err)
	attempt("sync standard output", os.Stdout.Sync())
	_, err = net.FileListener(os.NewFile(9, "listener"))
	fmt.Println("listen:", err != nil)
	_, err = net.Dial("tcp", "127.0.0.1:80")
	fmt.Println("dial:", err != nil)
}

func main() {}
