package guest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// AtExitMax is the longest duration of an exit hook.
const AtExitMax = time.Second

// AtExit is an exit hook.
type AtExit struct {
	Place string // source position of the registration
	Do    func(context.Context)
}

// AtExit registers a hook that runs before the guest exits.
func (g *Guest) AtExit(what AtExit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.atExit = append(g.atExit, what)
}

// Stop makes the guest refuse new calls. Once the outstanding calls are answered, the guest calls
// Stopped of its [Declaration] or, without one, exits with status 0.
func (g *Guest) Stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lifecycle != serving {
		return
	}
	g.lifecycle = stopping
	go func() {
		g.mu.Lock()
		for g.inbound.size > 0 {
			g.unanswered.Wait()
		}
		declared := g.declared
		g.mu.Unlock()
		if declared != nil && declared.Stopped != nil {
			declared.Stopped()
		} else {
			g.Leave(0, "")
		}
	}()
}

// Leave runs the exit hooks, the last registered first, and then exits. It returns when the guest
// has exited. Only the first call determines the status.
func (g *Guest) Leave(status uint8, why string) { g.leave(nil, status, why) }

// LeaveFrom is Leave from the handler of a call, which the host then logs; the call may be nil.
func (g *Guest) LeaveFrom(in *Inbound, status uint8) { g.leave(in, status, "") }

func (g *Guest) leave(in *Inbound, status uint8, why string) {
	g.mu.Lock()
	if g.lifecycle >= exiting {
		g.mu.Unlock()
		<-g.gone
		return
	}
	g.lifecycle = exiting
	g.mu.Unlock()
	g.runExitHooks()

	frame := abi.Frame{Header: abi.NewHeader(abi.KindExit), Payload: []byte(why)}
	frame.Status = uint32(status)
	if g.declare(context.Background(), Declaration{}) {
		// The first frame must be a manifest, even an empty one.
		var nothing abi.Manifest
		g.send(abi.Frame{Header: abi.NewHeader(abi.KindManifest), Payload: nothing.Append(nil)})
	}
	if in != nil {
		in.ShowProgress()
	}
	g.send(frame)
	g.mu.Lock()
	g.lifecycle = exited
	g.mu.Unlock()
	close(g.gone)
}

// isGone reports whether the guest has sent its last frame.
func (g *Guest) isGone() bool {
	g.mu.Lock()
	isGone := g.lifecycle == exited
	g.mu.Unlock()
	return isGone
}

// runExitHooks runs the exit hooks, including hooks registered by other hooks.
func (g *Guest) runExitHooks() {
	for {
		g.mu.Lock()
		if len(g.atExit) == 0 {
			g.mu.Unlock()
			return
		}
		last := g.atExit[len(g.atExit)-1]
		g.atExit = slices.Delete(g.atExit, len(g.atExit)-1, len(g.atExit))
		g.mu.Unlock()
		g.runExitHook(last)
	}
}

// runExitHook runs a hook on a goroutine, and waits until the hook has ended or its time is over.
// The goroutine of a late hook cannot be stopped; it continues, and the guest does not wait for it.
func (g *Guest) runExitHook(hook AtExit) {
	ctx, cancel := context.WithTimeout(NewContext(context.Background(), g), AtExitMax)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		hook.Do(ctx)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		const text = "exit hook of %s did not finish within %v"
		g.Log(abi.LevelError, abi.NoCall, fmt.Sprintf(text, hook.Place, AtExitMax))
	}
}

// Rest blocks until the guest has exited or stopped is closed. The caller may close stopped only
// after the lifecycle has left serving: [Guest.Resting] relies on that.
func (g *Guest) Rest(stopped <-chan struct{}) {
	g.mu.Lock()
	g.resting++
	g.mu.Unlock()
	select {
	case <-stopped:
	case <-g.gone:
	}
}

// Gone returns a channel that is closed when the guest has exited.
func (g *Guest) Gone() <-chan struct{} { return g.gone }
