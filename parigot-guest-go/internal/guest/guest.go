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
	// Send appends a frame whose payload is the message, of which [proto.Size] was asked just before, or the one that the frame bears if
	// there is no message.
	Send(frame abi.Frame, message proto.Message) error
	// Progress says which call is being served from now on, or [abi.NoCall].
	Progress(call uint64, service, method uint32)
}

// Guest is one guest.
type Guest struct {
	Pool
	// Clock returns the time on the guest's monotonic clock.
	Clock  func() uint64
	outbox Outbox
	epoch  time.Time // the zero of the guest's monotonic clock

	start atomic.Pointer[abi.Start]

	mu         lock.Mutex
	presence   presence
	resting    int          // how many goroutines wait for presence to change
	declared   *declaration // once Declare was called
	calls      table[Reply]
	lastCall   uint64
	inbound    table[*Inbound]
	atExit     []AtExit
	unanswered *sync.Cond // told when inbound gets smaller
	gone       chan struct{}
}

// Whether a guest is there to stay.
type presence uint8

const (
	staying  presence = iota
	stopping          // it refuses calls, and leaves when it has answered those that it has
	leaving           // it leaves when its last words are spoken
	gone              // nothing is sent any more
)

// New returns a guest whose monotonic clock began at epoch.
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

// messageBytesMax is the largest payload until the host says which.
const messageBytesMax = 16 << 20

// current is the guest of this process, if there is only one.
var current *Guest

// SetCurrent makes it the guest of all contexts that name no other.
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
		return nil, errors.New("parigot: this is no guest: outside of a parigot host, contexts come from package parigottest")
	}
	return current, nil
}

// MustOf returns the guest that the context belongs to, and panics where there is none.
func MustOf(ctx context.Context) *Guest {
	g, err := Of(ctx)
	if err != nil {
		panic(err)
	}
	return g
}

// Instance returns the id of this instance, in its wire form.
func (g *Guest) Instance() [2]uint64 { return g.start.Load().Instance }

// WantsDescriptors reports whether the host wants descriptors in the manifest.
func (g *Guest) WantsDescriptors() bool { return g.start.Load().Descriptors }

// MessageBytesMax returns the largest payload that the host lets through.
func (g *Guest) MessageBytesMax() int { return int(g.start.Load().MessageBytesMax) }

// Resting returns how many goroutines certainly wait for this package to wake them. There may be more.
func (g *Guest) Resting() int {
	g.mu.Lock()
	resting, isStaying := g.resting, g.presence == staying
	g.mu.Unlock()
	if !isStaying {
		return 0
	}
	return g.idling() + resting
}

// Idle is called by a goroutine that has nothing to do. If no other has anything to do either, it returns in another turn, and true.
func (g *Guest) Idle() bool { return g.EndTurn != nil && g.EndTurn() }

// Time returns a moment of the guest's monotonic clock.
func (g *Guest) Time(ns uint64) time.Time { return g.epoch.Add(time.Duration(min(ns, 1<<63-1))) }

// NS returns a moment on the guest's monotonic clock.
func (g *Guest) NS(moment time.Time) uint64 { return uint64(max(0, moment.Sub(g.epoch))) }

// send sends a frame; after the last one nothing is sent. Frames without a message of the user's are shorter than 4 GiB.
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

// progress says which call is being served from now on; a guest that is gone has served its last.
func (g *Guest) progress(call uint64, service, method uint32) {
	if !g.isGone() {
		g.outbox.Progress(call, service, method)
	}
}

// Log adds a line to the log, about that inbound call or [abi.NoCall].
func (g *Guest) Log(level abi.Level, call uint64, text string) {
	frame := abi.Frame{Header: abi.NewHeader(abi.KindLog)}
	frame.Number, frame.Status = call, uint32(level)
	frame.Payload = []byte(cut(text, g.MessageBytesMax()))
	g.send(frame)
}

// cut returns as much of a text as fits.
func cut(text string, most int) string { return text[:min(len(text), most)] }
