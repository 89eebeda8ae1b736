package parigot_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"
	"google.golang.org/protobuf/proto"
)

const exitedHandler = "INTERNAL: the handler ended its goroutine: " +
	"it called runtime.Goexit, or Fatal or FailNow of package testing"

// thenExit returns a future whose function ends its goroutine later.
func thenExit() *sale {
	later := future.New[*text, shopErr]()
	time.AfterFunc(time.Second, func() { later.Complete(say("bread"), nil) })
	return future.Then(later, func(*text) *sale {
		runtime.Goexit()
		return nil
	})
}

// exiting is an implementation of the shop that returns futures.
type exiting func(context.Context, *text) *sale

func (e exiting) export() parigot.Export {
	handler := parigot.Handle(newText, e)
	return parigot.Export{Service: &shopService, Handlers: []parigot.Handler{handler}}
}

func TestGoexitInAHandlerFailsTheCallAtOnce(t *testing.T) {
	for name, serve := range map[string]exiting{
		"Goexit": func(context.Context, *text) *sale { runtime.Goexit(); return nil },
		"Fatal": func(context.Context, *text) *sale {
			new(testing.T).FailNow() // Fatal without the line in the log of this test
			return nil
		},
		"Goexit later": func(context.Context, *text) *sale {
			time.Sleep(time.Second)
			runtime.Goexit()
			return nil
		},
		"Goexit in Then": func(context.Context, *text) *sale { return thenExit() },
	} {
		synctest.Test(t, func(t *testing.T) {
			host := parigottest.New(t) // its cleanup fails if a call has no answer
			host.Serve(serve.export())
			ctx := host.Client(requireShop())
			began := time.Now()
			for range 3 {
				err := check(t, ctx, mustLocateShop(ctx).sell(ctx, say("bread")), exitedHandler)
				if fate := parigot.FateOf(err); fate != parigot.FateAnswered {
					t.Errorf("%s: the fate is %v", name, fate)
				}
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("%s: the calls have taken %v", name, took)
			}
		})
	}
}

// frames is an outbox that records the frames.
type frames struct {
	lines
	sent []abi.Frame
}

func (f *frames) Send(frame abi.Frame, _ proto.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = append(f.sent, frame)
	return nil
}

func TestGoexitInReadyRefusesTheLaunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out frames
		g := guest.New(&out, time.Now())
		defer g.Close()
		export := (&shop{sell: echo}).export()
		export.Ready = func(context.Context) *future.Base[bool] { runtime.Goexit(); return nil }
		go parigot.Run(guest.NewContext(t.Context(), g), []parigot.Export{export})
		synctest.Wait()
		if err := g.Take(abi.Frame{Header: abi.NewHeader(abi.KindLaunched)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		last := out.sent[len(out.sent)-1]
		const want = "Ready of shop.v1.Shop ended its goroutine"
		why := abi.ReadDetail(last.Detail).Message
		if last.Kind != abi.KindReply || why != want {
			t.Errorf("found %v with %q", last.Kind, why)
		}
		g.Leave(0, "")
	})
}

func TestGoexitInMainEndsTheGuest(t *testing.T) {
	host := parigottest.New(t)
	ended := host.Start("main", func(context.Context) { runtime.Goexit() })
	if status := ended.Wait(); status != 1 {
		t.Fatalf("found status %d", status)
	}
}
