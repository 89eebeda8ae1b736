package guest

import (
	"context"
	"errors"

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
	methods []abi.Pair      // of services that are required by name: service and method, in the order in which calls name them
	ready   bool
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
	declared := g.declared != nil
	g.mu.Unlock()
	return declared
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
	g.declared.ready = true
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
	ErrNotRequired = errors.New("is not among the services that this guest requires")
	ErrNotLaunched = errors.New("cannot be called before the guest is launched")
)

// Handle returns the handle of a required service, and the names of its methods in the order in which calls name them.
func (g *Guest) Handle(service string) (handle uint32, methods []string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.declared == nil {
		return 0, nil, ErrNotLaunched
	}
	for place, required := range g.declared.Requires {
		if required.Name != service {
			continue
		}
		if g.declared.handles == nil {
			return 0, nil, ErrNotLaunched
		}
		return g.declared.handles[place], g.declared.methodsOf(&required), nil
	}
	return 0, nil, ErrNotRequired
}

// methodsOf returns the names of the methods of a required service.
func (d *declaration) methodsOf(required *abi.Service) (methods []string) {
	for _, method := range required.Methods {
		methods = append(methods, method.Name)
	}
	if required.ByName() {
		for _, pair := range d.methods {
			if pair.Key == required.Name {
				methods = append(methods, pair.Value)
			}
		}
	}
	return methods
}
