package guest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/lock"
	"google.golang.org/protobuf/proto"
)

// Outbox takes the frames that a guest sends.
type Outbox interface {
	// Send appends a frame. The payload is the message or, if the message is nil, the payload of
	// the frame. The caller has just called [proto.Size] on the message, which caches the size.
	Send(frame abi.Frame, message proto.Message) error
	// Progress reports the call that is served from now on, or [abi.NoCall].
	Progress(call uint64, service, method uint32)
	// Begin reports that the handler of a call is about to run.
	Begin(call uint64)
}

// Guest is one guest.
//
// The mutex mu guards the fields below it. No holder of mu blocks or sends a frame.
type Guest struct {
	Pool
	// Clock returns the time on the guest's monotonic clock, in nanoseconds.
	Clock func() uint64
	// MustYield reports whether the host requests the end of the turn. If MustYield is nil, it
	// never does.
	MustYield func() bool

	outbox Outbox
	epoch  time.Time // zero of the guest's monotonic clock

	start atomic.Pointer[abi.Start]

	mu         lock.Mutex
	lifecycle  lifecycle
	resting    int          // goroutines that wait for the lifecycle to change
	declared   *declaration // nil until Declare is called
	calls      table[Reply]
	lastCall   uint64
	inbound    table[*Inbound]
	atExit     []AtExit
	unanswered *sync.Cond // signalled when a call is removed from inbound
	gone       chan struct{}
}

// lifecycle is the state of a guest. A guest only moves forward, and may skip stopping.
type lifecycle uint8

const (
	serving  lifecycle = iota
	stopping           // refuses new calls; exits after the outstanding calls are answered
	exiting            // runs the exit hooks, then exits
	exited             // sends no more frames
)

// New returns a guest whose monotonic clock starts at epoch.
func New(outbox Outbox, epoch time.Time) *Guest {
	g := &Guest{
		outbox: outbox,
		epoch:  epoch,
		gone:   make(chan struct{}),
	}
	g.start.Store(&abi.Start{MessageBytesMax: messageBytesMax})
	g.Clock = func() uint64 { return g.NS(time.Now()) }
	g.unanswered = sync.NewCond(&g.mu)
	return g
}

// messageBytesMax is the limit on payloads, in bytes, until the host has sent its limit.
const messageBytesMax = 16 << 20

// current is the guest of this process, if the process has exactly one.
var current *Guest

// SetCurrent makes g the guest of all contexts without a guest of their own.
func SetCurrent(g *Guest) { current = g }

type key struct{}

// NewContext returns a context that belongs to the guest.
func NewContext(ctx context.Context, g *Guest) context.Context {
	return context.WithValue(ctx, key{}, g)
}

// Of returns the guest that the context belongs to.
func Of(ctx context.Context) (*Guest, error) {
	if g, ok := ctx.Value(key{}).(*Guest); ok {
		return g, nil
	}
	if current == nil {
		return nil, errors.New("parigot: the context has no guest: " +
			"outside a parigot host, use a context from package parigottest")
	}
	return current, nil
}

// MustOf returns the guest that the context belongs to, and panics if there is none.
func MustOf(ctx context.Context) *Guest {
	g, err := Of(ctx)
	if err != nil {
		panic(err)
	}
	return g
}

// Instance returns the id of this instance, in its wire form.
func (g *Guest) Instance() [2]uint64 { return g.start.Load().Instance }

// WantsDescriptors reports whether the host requests descriptors in the manifest.
func (g *Guest) WantsDescriptors() bool { return g.start.Load().Descriptors }

// MessageBytesMax returns the host's limit on payloads, in bytes.
func (g *Guest) MessageBytesMax() int { return int(g.start.Load().MessageBytesMax) }

// Resting returns the number of goroutines that certainly wait until this package wakes them. There
// may be more such goroutines.
//
// After the lifecycle has changed, the goroutines in Rest may be about to run, so none counts as
// resting.
func (g *Guest) Resting() int {
	g.mu.Lock()
	resting := g.resting
	isServing := g.lifecycle == serving
	g.mu.Unlock()
	if !isServing {
		return 0
	}
	return g.idling() + resting
}

// Idle ends the turn if no goroutine has anything to do. A goroutine without work calls Idle. If no
// other goroutine has work, Idle returns true, in another turn.
func (g *Guest) Idle() bool { return g.EndTurn != nil && g.EndTurn() }

// giveWay lets the host end the turn if it requests that. A goroutine whose stream always has an
// item or credit calls giveWay for each item; otherwise it would hold the thread.
func (g *Guest) giveWay() {
	if g.MustYield != nil && g.MustYield() {
		g.Yield()
	}
}

// Time converts nanoseconds on the guest's monotonic clock to a time.
func (g *Guest) Time(ns uint64) time.Time { return g.epoch.Add(time.Duration(min(ns, 1<<63-1))) }

// NS converts a time to nanoseconds on the guest's monotonic clock.
func (g *Guest) NS(moment time.Time) uint64 { return uint64(max(0, moment.Sub(g.epoch))) }

// send sends a frame, unless the guest has exited. It panics if the frame is 4 GiB or longer, which
// no frame without a user's message is.
func (g *Guest) send(frame abi.Frame) {
	if err := g.sendMessage(frame, nil); err != nil {
		panic(err)
	}
}

func (g *Guest) sendMessage(frame abi.Frame, message proto.Message) error {
	if g.isGone() {
		return nil
	}
	return g.outbox.Send(frame, message)
}

// progress reports the call that is served from now on, unless the guest has exited.
func (g *Guest) progress(call uint64, service, method uint32) {
	if !g.isGone() {
		g.outbox.Progress(call, service, method)
	}
}
