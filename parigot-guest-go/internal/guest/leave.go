package guest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// AtExitMax is how long each of what was registered for the exit may take.
const AtExitMax = time.Second

// AtExit is what to do before a guest leaves.
type AtExit struct {
	Place string // where it was registered
	Do    func(context.Context)
}

// AtExit registers what to do before the guest leaves.
func (g *Guest) AtExit(what AtExit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.atExit = append(g.atExit, what)
}

// Stop makes the guest refuse calls and, once it has answered those that it has, leave with status 0 or do what it has declared.
func (g *Guest) Stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.presence != staying {
		return
	}
	g.presence = stopping
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

// Leave runs what was registered for the exit, last first, and then leaves. Whoever asks first says how. It returns when the guest is gone.
func (g *Guest) Leave(status uint8, why string) { g.leave(nil, status, why) }

// LeaveFrom does the same for the handler of a call, if it is not nil, which the host then names.
func (g *Guest) LeaveFrom(in *Inbound, status uint8) { g.leave(in, status, "") }

func (g *Guest) leave(in *Inbound, status uint8, why string) {
	g.mu.Lock()
	if g.presence >= leaving {
		g.mu.Unlock()
		<-g.gone
		return
	}
	g.presence = leaving
	g.mu.Unlock()
	g.sayLastWords()

	frame := abi.Frame{Header: abi.NewHeader(abi.KindExit), Payload: []byte(why)}
	frame.Status = uint32(status)
	if g.declare(context.Background(), Declaration{}) {
		// Nothing may come before a manifest, even if that is empty.
		var nothing abi.Manifest
		g.send(abi.Frame{Header: abi.NewHeader(abi.KindManifest), Payload: nothing.Append(nil)})
	}
	if in != nil {
		in.ShowProgress()
	}
	g.send(frame)
	g.mu.Lock()
	g.presence = gone
	g.mu.Unlock()
	close(g.gone)
}

// isGone reports whether the last frame was sent.
func (g *Guest) isGone() bool {
	g.mu.Lock()
	isGone := g.presence == gone
	g.mu.Unlock()
	return isGone
}

// sayLastWords runs what was registered for the exit; also what is registered meanwhile.
func (g *Guest) sayLastWords() {
	for {
		g.mu.Lock()
		if len(g.atExit) == 0 {
			g.mu.Unlock()
			return
		}
		last := g.atExit[len(g.atExit)-1]
		g.atExit = slices.Delete(g.atExit, len(g.atExit)-1, len(g.atExit))
		g.mu.Unlock()
		g.sayLastWord(last)
	}
}

// sayLastWord runs one of them, and waits until it has ended or its time is over. Nobody can stop it then, but nobody waits for it either.
func (g *Guest) sayLastWord(word AtExit) {
	ctx, cancel := context.WithTimeout(NewContext(context.Background(), g), AtExitMax)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		word.Do(ctx)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		text := fmt.Sprintf("what %s has registered for the exit did not end within %v", word.Place, AtExitMax)
		g.Log(abi.LevelError, abi.NoCall, text)
	}
}

// Rest blocks until the guest has left, or is stopped, which may only be after it was told to leave.
func (g *Guest) Rest(stopped <-chan struct{}) {
	g.mu.Lock()
	g.resting++
	g.mu.Unlock()
	select {
	case <-stopped:
	case <-g.gone:
	}
}

// Gone returns what is closed when the guest has left.
func (g *Guest) Gone() <-chan struct{} { return g.gone }
