package samples

import (
	"context"
	"sync"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "example.com/helloworld/stubs/greeting/v1"
)

// ANCHOR: locks

// Translator greets, and sells a limited number of greetings.
type Translator struct {
	parigot.ReadyAtOnce
	// Translate may block, for example in a call of another service. Other handlers run meanwhile.
	Translate func(context.Context, pb.Tongue) (string, error)

	mu   sync.Mutex // guards the fields below
	left int        // greetings that can still be sold
}

// NewTranslator returns a translator that sells at most left greetings.
func NewTranslator(
	left int, translate func(context.Context, pb.Tongue) (string, error),
) *Translator {
	return &Translator{Translate: translate, left: left}
}

// FetchGreeting sells a greeting.
func (t *Translator) FetchGreeting(
	ctx context.Context, in *pb.FetchGreetingRequest,
) *pb.GreetingFetchGreetingFuture {
	return pb.GreetingFetchGreetingDone(t.fetchGreeting(ctx, in))
}

func (t *Translator) fetchGreeting(
	ctx context.Context, in *pb.FetchGreetingRequest,
) (*pb.FetchGreetingResponse, error) {
	// Take first, and block after that. If the handler looked at left before it blocks and changed
	// left afterwards, two handlers could sell the last greeting.
	if !t.take() {
		return nil, parigot.ResourceExhausted
	}
	text, err := t.Translate(ctx, in.GetTongue())
	if err != nil {
		t.putBack()
		return nil, err
	}
	return &pb.FetchGreetingResponse{Greeting: text}, nil
}

func (t *Translator) take() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left == 0 {
		return false
	}
	t.left--
	return true
}

func (t *Translator) putBack() {
	t.mu.Lock()
	t.left++
	t.mu.Unlock()
}

// ANCHOR_END: locks
