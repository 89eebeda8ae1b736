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
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

const (
	// deadlineDefault is how long a call may take if nobody says.
	deadlineDefault = 3 * time.Second
	// messageBytesMax is the largest message that is let through.
	messageBytesMax = 16 << 20
	// grace is how long guests may take to leave at the end of the test.
	grace = 5 * time.Second
)

// Host connects guests of one test.
type Host struct {
	t testing.TB

	mu     sync.Mutex
	guests []*Guest
}

// New returns a host. When the test ends, its guests are told to leave; the test fails if one does not.
func New(t testing.TB) *Host {
	h := &Host{t: t}
	t.Cleanup(h.stop)
	return h
}

// Serve runs a guest that exports a service, and returns once it is ready. What it requires must be served already.
func (h *Host) Serve(export parigot.Export, requires ...parigot.Requirement) *Guest {
	h.t.Helper()
	g := h.Start(export.Service.Name, func(ctx context.Context) {
		parigot.Run(ctx, []parigot.Export{export}, requires...)
	})
	g.awaitReady()
	return g
}

// Client returns the context of a guest that requires these services, which must be served already, and is launched.
func (h *Host) Client(requires ...parigot.Requirement) context.Context {
	h.t.Helper()
	g := h.Start("client", func(ctx context.Context) {
		parigot.Launch(ctx, requires...)
		parigot.MustRunClient(ctx)
	})
	g.awaitReady()
	return g.ctx
}

// Start runs what would be the main function of a guest. Its context says which guest it is.
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

// stop ends all guests, those that came last first.
func (h *Host) stop() {
	h.mu.Lock()
	guests := h.guests
	h.mu.Unlock()
	for k := len(guests) - 1; k >= 0; k-- {
		guests[k].stop()
	}
}

// exporter returns who exports a service, and the service's place; nil if nobody does.
func (h *Host) exporter(service string) (*Guest, int) {
	for _, g := range h.guests {
		for place, export := range g.manifest.Exports {
			if export.Name == service {
				return g, place
			}
		}
	}
	return nil, 0
}

// launchThoseThatMay tells every guest that has asked and whose requirements are ready.
func (h *Host) launchThoseThatMay() {
	for _, g := range h.guests {
		if g.phase == waiting && h.bind(g) {
			g.phase = launched
			g.post(g.launchedFrame())
		}
	}
}

// bind looks up what a guest requires, and reports whether all of that is ready.
func (h *Host) bind(g *Guest) bool {
	links := make([]link, len(g.manifest.Requires))
	for k, required := range g.manifest.Requires {
		callee, place := h.exporter(required.Name)
		if callee == nil || callee.phase != ready {
			return false
		}
		links[k] = newLink(required, callee, place)
	}
	g.links = links
	return true
}

// missing names a service that a guest requires and nobody exports.
func (h *Host) missing(g *Guest) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, required := range g.manifest.Requires {
		if callee, _ := h.exporter(required.Name); callee == nil {
			return fmt.Errorf("%s requires %s, which nobody serves", g.name, required.Name)
		}
	}
	return nil
}
