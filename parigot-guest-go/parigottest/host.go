package parigottest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/id"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/goexit"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

const (
	// deadlineDefault is the duration of a call without a deadline.
	deadlineDefault = 3 * time.Second
	// messageBytesMax is the limit on messages, in bytes.
	messageBytesMax = 16 << 20
	// grace is the time in which a guest must exit at the end of the test.
	grace = 5 * time.Second
)

// Host connects the guests of one test.
type Host struct {
	t testing.TB

	mu     sync.Mutex
	guests []*Guest
	bound  map[string]*Guest // guests by the name of a binding
}

// New returns a host. At the end of the test the host requests the exit of its guests. The test
// fails if a guest does not exit within 5 seconds.
func New(t testing.TB) *Host {
	h := &Host{t: t, bound: map[string]*Guest{}}
	t.Cleanup(h.stop)
	return h
}

// Serve runs a guest that exports a service, and returns when the guest is ready. The required
// services must be served already.
func (h *Host) Serve(export parigot.Export, requires ...parigot.Requirement) *Guest {
	h.t.Helper()
	g := h.Start(export.Service.Name, func(ctx context.Context) {
		parigot.Run(ctx, []parigot.Export{export}, requires...)
	})
	g.awaitReady()
	return g
}

// Bind binds a name to a guest, for the requirements with this name: see [parigot.Requirement.As].
// A name that is not bound stands for the first guest that exports the service.
func (h *Host) Bind(name string, exporter *Guest) {
	h.mu.Lock()
	h.bound[name] = exporter
	h.mu.Unlock()
}

// Client starts a guest that requires these services, and returns its context when the guest is
// launched. The services must be served already.
func (h *Host) Client(requires ...parigot.Requirement) context.Context {
	h.t.Helper()
	g := h.Start("client", func(ctx context.Context) {
		parigot.Launch(ctx, requires...)
		parigot.MustRunClient(ctx)
	})
	g.awaitReady()
	return g.ctx
}

// Start runs a function as the main function of a guest. The context of the function belongs to the
// guest.
func (h *Host) Start(name string, main func(context.Context)) *Guest {
	g := &Guest{
		host:     h,
		name:     name,
		mailbox:  newMailbox(),
		asked:    newEvent(),
		up:       newEvent(),
		inbound:  map[uint64]*transit{},
		outbound: map[uint64]*transit{},
	}
	g.guest = guest.New(g, time.Now())
	g.ctx = guest.NewContext(context.Background(), g.guest)
	h.mu.Lock()
	h.guests = append(h.guests, g)
	h.mu.Unlock()
	go g.deliver()
	g.post(startFrame())
	go func() {
		defer func() {
			if goexit.InProgress() { // also after an orderly exit: then Leave does nothing
				g.guest.Leave(1, "main ended its goroutine")
			}
		}()
		main(g.ctx)
		g.guest.Leave(0, "")
	}()
	return g
}

func startFrame() abi.Frame {
	start := abi.Start{Host: abi.Current, MessageBytesMax: messageBytesMax}
	start.Instance[0], start.Instance[1] = id.New[id.Instance]().Wire()
	return start.Frame()
}

// stop ends all guests, the last started first.
func (h *Host) stop() {
	h.mu.Lock()
	guests := h.guests
	h.mu.Unlock()
	for k := len(guests) - 1; k >= 0; k-- {
		guests[k].stop()
	}
}

// exporter returns the guest that exports a required service and the index of the export, or nil.
func (h *Host) exporter(required *abi.Requirement) (*Guest, int) {
	guests := h.guests
	if bound := h.bound[required.Binding]; bound != nil {
		guests = []*Guest{bound}
	}
	for _, g := range guests {
		for index, export := range g.manifest.Exports {
			if export.Name == required.Name {
				return g, index
			}
		}
	}
	return nil, 0
}

// launchReady launches every waiting guest whose required services are ready.
func (h *Host) launchReady() {
	for _, g := range h.guests {
		if g.phase == waiting && h.bind(g) {
			g.phase = launched
			g.post(g.launchedFrame())
		}
	}
}

// bind binds the required services of a guest, and reports whether all of them are ready.
func (h *Host) bind(g *Guest) bool {
	bindings := make([]binding, len(g.manifest.Requires))
	for k, required := range g.manifest.Requires {
		callee, index := h.exporter(&required)
		if callee == nil || callee.phase != ready {
			return false
		}
		bindings[k] = newBinding(k, required.Service, callee, index)
	}
	g.bindings = bindings
	return true
}

// missing returns an error for the first required service that no guest exports.
func (h *Host) missing(g *Guest) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, required := range g.manifest.Requires {
		if callee, _ := h.exporter(&required); callee == nil {
			return fmt.Errorf("%s requires %s, which no guest exports", g.name, required.Name)
		}
	}
	return nil
}
