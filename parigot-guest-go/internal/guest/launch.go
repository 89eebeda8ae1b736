package guest

import (
	"context"
	"errors"
	"strconv"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// Declaration is the manifest of a guest, with its handlers.
type Declaration struct {
	abi.Manifest
	// Launched is called once: with nil when all required services are ready, or with a failure if
	// they never will be.
	Launched func(*Failure)
	// Stopped is called when the host has requested the exit and all calls are answered. If Stopped
	// is nil, the guest exits.
	Stopped func()
	// Dispatch serves a call. The memory of the request is reused after Dispatch returns.
	Dispatch func(in *Inbound, request []byte)
}

type declaration struct {
	Declaration
	base    context.Context // base context of the handlers
	handles []uint32        // handles of the required services; nil before the launch
	// methods are the methods of services required by name. The key is the index of the requirement
	// as a decimal number. The methods of a service are in the order of their indices in calls.
	methods []abi.Pair
	ready   bool
	ended   bool
}

// Declare sends the manifest to the host and requests the launch. It reports whether this was the
// first call: a guest has one manifest.
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

// Declared reports whether Declare was called.
func (g *Guest) Declared() bool {
	g.mu.Lock()
	declared := g.declared != nil
	g.mu.Unlock()
	return declared
}

func (g *Guest) endLaunch(failure *Failure) error {
	g.mu.Lock()
	declared := g.declared
	isExpected := declared != nil && !declared.ended
	if isExpected {
		declared.ended = true
	}
	g.mu.Unlock()
	if !isExpected {
		return errors.New("expected one reply to the launch request")
	}
	g.Do(func() { declared.Launched(failure) })
	return nil
}

// ConfirmLaunch reports to the host that the guest can serve calls.
func (g *Guest) ConfirmLaunch() {
	g.mu.Lock()
	g.declared.ready = true
	g.mu.Unlock()
	g.send(abi.Frame{Header: abi.NewHeader(abi.KindReply)})
}

// RefuseLaunch reports to the host that the guest cannot serve calls, and why.
func (g *Guest) RefuseLaunch(why string) {
	frame := abi.Frame{Header: abi.NewHeader(abi.KindReply)}
	frame.Status = uint32(abi.FailedPrecondition)
	frame.Detail = abi.Detail{Message: why}.Append(nil)
	g.send(frame)
}

// Errors of [Guest.Handle].
var (
	ErrNotRequired = errors.New("is not among the services that this guest requires")
	ErrNotLaunched = errors.New("cannot be called before the guest is launched: " +
		"await parigot.Launch(ctx) before this call")
)

// Handle returns the handle of a required service, and its methods in the order of their indices in
// calls. Only their names and the flags of the sides that stream are set if the service is required
// by name. The name of the binding is empty for a requirement without one.
func (g *Guest) Handle(service, binding string) (uint32, []abi.Method, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.declared == nil {
		return 0, nil, ErrNotLaunched
	}
	for index, required := range g.declared.Requires {
		if required.Name != service || required.Binding != binding {
			continue
		}
		if g.declared.handles == nil {
			return 0, nil, ErrNotLaunched
		}
		return g.declared.handles[index], g.declared.methodsOf(index), nil
	}
	return 0, nil, ErrNotRequired
}

// Bindings returns the names under which the guest requires a service. An empty name is a
// requirement without a name.
func (g *Guest) Bindings(service string) (bindings []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, required := range g.declared.Requires {
		if required.Name == service {
			bindings = append(bindings, required.Binding)
		}
	}
	return bindings
}

// methodsOf returns the methods of a required service.
func (d *declaration) methodsOf(index int) []abi.Method {
	required := &d.Requires[index]
	if !required.ByName() {
		return required.Methods
	}
	key := strconv.Itoa(index)
	var methods []abi.Method
	for _, pair := range d.methods {
		if pair.Key == key {
			name, streams := abi.SplitMethodName(pair.Value)
			methods = append(methods, abi.Method{Name: name, Flags: streams})
		}
	}
	return methods
}
