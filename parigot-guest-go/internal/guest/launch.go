package guest

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// Declaration is what a guest exports and requires, and what it does with it.
type Declaration struct {
	abi.Manifest
	// Launched is told once, when all that is required is ready or, with a failure, will never be.
	Launched func(*Failure)
	// Stopped is told when the host wants the guest to leave and no call is left to answer. Without it the guest leaves.
	Stopped func()
	// Dispatch serves a call. The request lies in memory that is used again afterwards.
	Dispatch func(in *Inbound, request []byte)
}

type declaration struct {
	Declaration
	base    context.Context // of the handlers
	handles []uint32        // of the required services, after the launch
	ready   atomic.Bool
	ended   bool
}

// Declare tells the host what the guest is, and asks to be launched. It reports whether it was the first to do so: a guest is one thing.
func (g *Guest) Declare(ctx context.Context, what Declaration) bool {
	if !g.declare(ctx, what) {
		return false
	}
	g.send(abi.Frame{Header: abi.NewHeader(abi.KindManifest), Payload: what.Manifest.Append(nil)})
	g.send(abi.Frame{Header: abi.NewHeader(abi.KindLaunch)})
	return true
}

func (g *Guest) declare(ctx context.Context, what Declaration) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.declared != nil {
		return false
	}
	g.declared = &declaration{Declaration: what, base: ctx}
	return true
}

// Declared reports whether it was told what the guest is.
func (g *Guest) Declared() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.declared != nil
}

func (g *Guest) endLaunch(failure *Failure) error {
	g.mu.Lock()
	declared := g.declared
	again := declared == nil || declared.ended
	if !again {
		declared.ended = true
	}
	g.mu.Unlock()
	if again {
		return errors.New("expected one answer to the launch")
	}
	g.Do(func() { declared.Launched(failure) })
	return nil
}

// ConfirmLaunch tells the host that the guest can serve.
func (g *Guest) ConfirmLaunch() {
	g.mu.Lock()
	g.declared.ready.Store(true)
	g.mu.Unlock()
	g.send(abi.Frame{Header: abi.NewHeader(abi.KindReply)})
}

// RefuseLaunch tells the host that the guest cannot serve.
func (g *Guest) RefuseLaunch(why string) {
	frame := abi.Frame{Header: abi.NewHeader(abi.KindReply)}
	frame.Status = uint32(abi.FailedPrecondition)
	frame.Detail = abi.Detail{Message: why}.Append(nil)
	g.send(frame)
}

// Errors of [Guest.Handle].
var (
	ErrNotRequired = errors.New("is not among the services that this guest requires: " +
		"hand what its generated Require function returns to Launch, or to the guest's Run")
	ErrNotLaunched = errors.New("cannot be called before the guest is launched")
)

// Handle returns the handle of a required service.
func (g *Guest) Handle(service string) (uint32, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.declared == nil {
		return 0, ErrNotLaunched
	}
	for place, required := range g.declared.Requires {
		if required.Name != service {
			continue
		}
		if g.declared.handles == nil {
			return 0, ErrNotLaunched
		}
		return g.declared.handles[place], nil
	}
	return 0, ErrNotRequired
}
