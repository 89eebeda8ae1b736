package parigot

import (
	"context"
	"fmt"
	"path"
	"runtime"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// Launched is what a launch completes with.
type Launched struct{}

// LaunchFuture completes when all that a program requires is ready, or fails if that will never be.
type LaunchFuture = future.Method[Launched, Code]

// Launch says what a program requires and waits for it. It must be called before the program waits for anything else, a timer say.
//
// A guest is launched once; if it is launched again, that fails with [FailedPrecondition].
func Launch(ctx context.Context, requires ...Requirement) *LaunchFuture {
	g := guest.MustOf(ctx)
	launch := future.New[Launched, Code]()
	launch.Init(launchHooks{g})
	first := g.Declare(ctx, guest.Declaration{
		Manifest: manifest(g, nil, requires),
		Launched: func(failure *guest.Failure) {
			if failure != nil {
				launch.Complete(Launched{}, failed(failure))
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

// launchHooks lets handlers block, and no launch be interrupted.
type launchHooks struct{ guest *guest.Guest }

func (h launchHooks) Run(handlers func()) { h.guest.Do(handlers) }

func (launchHooks) Abandon() {}

func (launchHooks) Idle() bool { return false }

func (launchHooks) Interrupted() bool { return false }

var launchedTwice = &CallError{Code: FailedPrecondition, Message: "the guest was launched already"}

func unimplemented(in *guest.Inbound) { in.Fail(abi.Unimplemented, abi.CauseNoSuchMethod, "") }

// Run runs the guest that exports these services, until the host wants it to leave and all calls are answered. Then it returns, and when main
// does so too the guest leaves. It must be called before main waits for anything else.
//
// Handlers run on goroutines of their own and may block. Their contexts have the values of ctx. Run panics if the guest was launched already.
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

// server is a guest that exports services.
type server struct {
	guest   *guest.Guest
	ctx     context.Context
	exports []Export
	stopped chan struct{}
}

// launched makes the services ready and tells the host.
func (s *server) launched(failure *guest.Failure) {
	if failure != nil {
		s.guest.Leave(1, fmt.Sprintf("it cannot be launched: %v", failed(failure)))
		return
	}
	for _, export := range s.exports {
		if export.Ready == nil {
			continue
		}
		ready, err := export.Ready(s.ctx).Await(s.ctx)
		if err != nil || !ready {
			s.guest.RefuseLaunch(fmt.Sprintf("Ready of %s is false", export.Service.Name))
			return
		}
	}
	s.guest.ConfirmLaunch()
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

// MustRunClient lets a program go on by the handlers of its futures. It returns when the guest was told to leave or has left, see [Exit].
//
// It panics if the guest was not launched, as nothing could happen then.
func MustRunClient(ctx context.Context) {
	g := guest.MustOf(ctx)
	if !g.Declared() {
		panic("parigot: MustRunClient without a Launch")
	}
	g.Rest(nil)
}

// Exit makes the guest leave with that status, 0 to 255, of which 0 says that all went well. It does not return; deferred functions of
// the goroutine run, but whatever they send or log is dropped.
//
// What was registered by [AtExit] runs first. Calls that are not answered by then end with an error at their callers. A main that returns
// leaves with status 0; [os.Exit] leaves without running anything.
func Exit(ctx context.Context, status int) {
	g := guest.MustOf(ctx)
	if status < 0 || status > 255 {
		g.Log(abi.LevelError, abi.NoCall, fmt.Sprintf("exit status %d is not one of 0 to 255, so it is 255", status))
		status = 255
	}
	g.LeaveFrom(guest.InboundOf(ctx), uint8(status))
	runtime.Goexit()
}

// Yield lets others run: those that wait in this guest, and the host when it needs its thread.
//
// Whoever computes for long should call it every few milliseconds, or else the host ends the guest for holding the thread; its budget is 50 ms
// unless the deployment says otherwise. All goroutines of a guest share it: Go does not interrupt them in wasm.
func Yield(ctx context.Context) {
	guest.MustOf(ctx).Yield()
	if in := guest.InboundOf(ctx); in != nil {
		in.ShowProgress()
	}
}

// AtExitMax is how long each of what was registered by [AtExit] may take.
const AtExitMax = guest.AtExitMax

// AtExit registers what to do before the guest leaves: when main returns, when somebody calls [Exit], when the host wants the guest to leave. After a
// panic, or whatever else the host ends a guest for, nothing runs.
//
// What was registered last runs first. It may block and call services; its context ends after [AtExitMax], and whatever has not ended by then is left to
// itself, and the log says where it was registered.
func AtExit(ctx context.Context, do func(context.Context)) {
	place := "main"
	if _, file, line, ok := runtime.Caller(1); ok {
		place = fmt.Sprintf("%s:%d", path.Join(path.Base(path.Dir(file)), path.Base(file)), line)
	}
	guest.MustOf(ctx).AtExit(guest.AtExit{Place: place, Do: do})
}
