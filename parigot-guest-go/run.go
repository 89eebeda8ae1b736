package parigot

import (
	"context"
	"fmt"
	"path"
	"runtime"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/goexit"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// Launched is the empty response of a launch.
type Launched struct{}

// LaunchFuture completes when all required services are ready, or fails if they never will be.
type LaunchFuture = future.Method[Launched, Code]

// Launch declares the services that a program requires. The future completes when they are ready.
// Call Launch before the program waits for anything else, for example a timer.
//
// A guest is launched once. A second launch fails with [FailedPrecondition].
func Launch(ctx context.Context, requires ...Requirement) *LaunchFuture {
	g := guest.MustOf(ctx)
	launch := future.New[Launched, Code]()
	launch.Init(launchHooks{g})
	first := g.Declare(ctx, guest.Declaration{
		Manifest: manifest(g, nil, requires),
		Launched: func(failure *guest.Failure) {
			if failure != nil {
				launch.Complete(Launched{}, callError(failure))
				return
			}
			g.ConfirmLaunch()
			launch.Complete(Launched{}, nil)
		},
		Dispatch: func(in *guest.Inbound, _ []byte) { unimplemented(in) },
	})
	if !first {
		return future.Done[Launched, Code](Launched{}, launchedTwice)
	}
	return launch
}

// launchHooks allows handlers to block. A launch cannot be interrupted.
type launchHooks struct{ guest *guest.Guest }

func (h launchHooks) Run(handlers func()) { h.guest.Do(handlers) }

func (launchHooks) Abandon() {}

func (launchHooks) Idle() bool { return false }

func (launchHooks) Interrupted() bool { return false }

var launchedTwice = &CallError{Code: FailedPrecondition, Message: "the guest was launched already"}

func unimplemented(in *guest.Inbound) {
	in.Fail(abi.Unimplemented, abi.Detail{Cause: abi.CauseNoSuchMethod})
}

// Run serves the exported services. It returns when the host has requested the exit and all calls
// are answered. The guest exits when main returns. Call Run before main waits for anything else.
//
// Handlers run on their own goroutines and may block. Their contexts have the values of ctx. Run
// panics if the guest was launched already.
func Run(ctx context.Context, exports []Export, requires ...Requirement) {
	g := guest.MustOf(ctx)
	server := &server{guest: g, ctx: ctx, exports: exports, stopped: make(chan struct{})}
	first := g.Declare(ctx, guest.Declaration{
		Manifest: manifest(g, exports, requires),
		Launched: server.launched,
		Stopped:  func() { close(server.stopped) },
		Dispatch: server.dispatch,
	})
	if !first {
		panic(launchedTwice)
	}
	g.Rest(server.stopped)
}

// server is a guest with exported services.
type server struct {
	guest   *guest.Guest
	ctx     context.Context
	exports []Export
	stopped chan struct{}
}

// launched prepares the services, and reports the result to the host.
func (s *server) launched(failure *guest.Failure) {
	if failure != nil {
		s.guest.Leave(1, fmt.Sprintf("it cannot be launched: %v", callError(failure)))
		return
	}
	for _, export := range s.exports {
		if why := s.prepare(export); why != "" {
			s.guest.RefuseLaunch(why)
			return
		}
	}
	s.guest.ConfirmLaunch()
}

// prepare prepares a service, and returns why it cannot serve, or an empty text.
func (s *server) prepare(export Export) (why string) {
	if export.Ready == nil {
		return ""
	}
	returned := false
	defer func() {
		// After Goexit the goroutine does not return to launched.
		if !returned && goexit.InProgress() {
			why := fmt.Sprintf("Ready of %s ended its goroutine", export.Service.Name)
			s.guest.RefuseLaunch(why)
		}
	}()
	var reason error
	ctx := context.WithValue(s.ctx, notReadyKey{}, &reason)
	ready, err := export.Ready(ctx).Await(s.ctx)
	returned = true
	if reason != nil && (err != nil || !ready) {
		return reason.Error()
	}
	if err != nil || !ready {
		return fmt.Sprintf("Ready of %s is false", export.Service.Name)
	}
	return ""
}

func (s *server) dispatch(in *guest.Inbound, request []byte) {
	if in.Service() >= len(s.exports) {
		unimplemented(in)
		return
	}
	handlers := s.exports[in.Service()].Handlers
	if in.Method() >= len(handlers) {
		unimplemented(in)
		return
	}
	handlers[in.Method()](in, request)
}

// MustRunClient blocks while the handlers of the program's futures run. It returns when the guest
// has exited: see [Exit].
//
// MustRunClient panics if the program has not called [Launch], since nothing could happen then.
func MustRunClient(ctx context.Context) {
	g := guest.MustOf(ctx)
	if !g.Declared() {
		panic("parigot: MustRunClient called before Launch")
	}
	g.Rest(nil)
}

// Exit ends the guest with that status, 0 to 255; 0 is success. Exit does not return. Deferred
// functions of the goroutine run, but their calls and log lines are dropped.
//
// The hooks registered by [AtExit] run first. Calls without an answer then fail for their callers.
// A return from main exits with status 0. [os.Exit] exits without running the hooks.
func Exit(ctx context.Context, status int) {
	g := guest.MustOf(ctx)
	if status < 0 || status > 255 {
		text := fmt.Sprintf("exit status %d is not within 0 to 255; using 255", status)
		g.Log(abi.LevelError, abi.NoCall, text)
		status = 255
	}
	g.LeaveFrom(guest.InboundOf(ctx), uint8(status))
	runtime.Goexit()
}

// Yield lets the other goroutines of the guest run, and ends the turn if the host requests it.
//
// Call Yield every few milliseconds in a long computation. Otherwise the host kills the guest for
// exceeding its time budget, 50 ms by default. All goroutines of a guest share the budget, since Go
// does not preempt goroutines in wasm.
func Yield(ctx context.Context) {
	guest.MustOf(ctx).Yield()
	if in := guest.InboundOf(ctx); in != nil {
		in.ShowProgress()
	}
}

// AtExitMax is the longest duration of a hook registered by [AtExit].
const AtExitMax = guest.AtExitMax

// AtExit registers a hook that runs before the guest exits: after a return from main, after a call
// of [Exit], or after an exit request of the host. The hooks do not run after a panic, nor if the
// host kills the guest.
//
// The last registered hook runs first. A hook may block and call services. Its context ends after
// [AtExitMax]. The guest does not wait for a hook that takes longer, and logs where the hook was
// registered.
func AtExit(ctx context.Context, do func(context.Context)) {
	place := "main"
	if _, file, line, ok := runtime.Caller(1); ok {
		place = fmt.Sprintf("%s:%d", path.Join(path.Base(path.Dir(file)), path.Base(file)), line)
	}
	guest.MustOf(ctx).AtExit(guest.AtExit{Place: place, Do: do})
}
