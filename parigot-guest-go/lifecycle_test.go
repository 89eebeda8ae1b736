package parigot_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"
)

func TestLocateFailsWithoutRequirement(t *testing.T) {
	host := parigottest.New(t)
	_, err := parigot.Locate(host.Client(), &shopService)
	const want = "shop.v1.Shop is not among the services that this guest requires: " +
		"pass the result of its generated Require function to Launch or Run"
	if err == nil || err.Error() != want {
		t.Fatalf("found %v, want %s", err, want)
	}
	host.Start("early", func(ctx context.Context) {
		_, err = parigot.Locate(ctx, &shopService)
	}).Wait()
	const early = "shop.v1.Shop cannot be called before the guest is launched: " +
		"await parigot.Launch(ctx) before this call"
	if err == nil || err.Error() != early {
		t.Fatalf("found %v, want %s", err, early)
	}
	if _, err := parigot.Locate(t.Context(), &shopService); err == nil {
		t.Fatal("a context without a guest must be an error")
	}
}

func TestSecondLaunchFails(t *testing.T) {
	host := parigottest.New(t)
	ctx := host.Client()
	_, err := parigot.Launch(ctx).Await(ctx)
	if !errors.Is(err, parigot.FailedPrecondition) {
		t.Fatalf("found %v", err)
	}
}

func TestLaunchWaitsForRequiredServices(t *testing.T) {
	host := parigottest.New(t)
	ready := future.NewBase[bool]()
	launched := make(chan struct{})
	host.Start("shop", func(ctx context.Context) {
		parigot.Run(ctx, []parigot.Export{(&shop{sell: echo, ready: ready}).export()})
	})
	host.Start("customer", func(ctx context.Context) {
		if _, err := parigot.Launch(ctx, requireShop()).Await(ctx); err != nil {
			t.Error(err)
		}
		check(t, ctx, mustLocateShop(ctx).sell(ctx, say("bread")), "bread")
		close(launched)
	})
	select {
	case <-launched:
		t.Fatal("the customer was launched before the shop was ready")
	default:
	}
	ready.Set(true)
	<-launched
}

func TestExitRunsLastHookFirst(t *testing.T) {
	host := parigottest.New(t)
	host.Serve((&shop{sell: echo}).export())
	var said []string
	program := host.Start("program", func(ctx context.Context) {
		parigot.AtExit(ctx, func(context.Context) { said = append(said, "first") })
		parigot.AtExit(ctx, func(ctx context.Context) {
			bread, err := mustLocateShop(ctx).sell(ctx, say("bread")).Await(ctx)
			said = append(said, fmt.Sprint("last ", bread.GetValue(), " ", err))
		})
		parigot.Launch(ctx, requireShop()).Success(func(parigot.Launched) { parigot.Exit(ctx, 7) })
		parigot.MustRunClient(ctx)
	})
	if status := program.Wait(); status != 7 {
		t.Fatalf("exited with status %d", status)
	}
	if want := []string{"last bread <nil>", "first"}; !slices.Equal(said, want) {
		t.Fatalf("found %q, want %q", said, want)
	}
}

func TestLateExitHookDoesNotBlockOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := parigottest.New(t)
		first := false
		program := host.Start("program", func(ctx context.Context) {
			parigot.AtExit(ctx, func(context.Context) { first = true })
			parigot.AtExit(ctx, func(ctx context.Context) {
				<-ctx.Done()
				time.Sleep(time.Millisecond)
			})
			parigot.Launch(ctx)
			parigot.Exit(ctx, 7)
		})
		began := time.Now()
		if status := program.Wait(); status != 7 || !first {
			t.Fatalf("exited with status %d, and the first hook ran: %v", status, first)
		}
		if took := time.Since(began); took != parigot.AtExitMax {
			t.Fatalf("it took %v", took)
		}
		time.Sleep(time.Millisecond) // the late hook must end before the bubble
	})
}

// fatalText is a test whose fatal error is kept as a text.
type fatalText struct {
	testing.TB
	text string
}

func (f *fatalText) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestServiceThatIsNotReadyGivesAReason(t *testing.T) {
	closed := func(ctx context.Context) *future.Base[bool] {
		return parigot.NotReady(ctx, errors.New("the shop is closed"))
	}
	silent := func(context.Context) *future.Base[bool] { return future.NewBaseWithValue(false) }
	for _, c := range []struct {
		ready func(context.Context) *future.Base[bool]
		want  string
	}{
		{closed, "shop.v1.Shop is not ready: the shop is closed"},
		{silent, "shop.v1.Shop is not ready: Ready of shop.v1.Shop is false"},
	} {
		export := (&shop{sell: echo}).export()
		export.Ready = c.ready
		test := &fatalText{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			parigottest.New(test).Serve(export)
		}()
		<-done
		if test.text != c.want {
			t.Errorf("found %q, want %q", test.text, c.want)
		}
	}
}

func TestExitOfServiceFailsItsCalls(t *testing.T) {
	ctx, shop := open(t, func(ctx context.Context, _ *text) (*text, error) {
		parigot.Exit(ctx, 7)
		return nil, nil
	})
	check(t, ctx, shop.sell(ctx, say("bread")),
		"UNAVAILABLE: callee exited: shop.v1.Shop exited with status 7 before it replied")
	err := check(t, ctx, shop.sell(ctx, say("bread")),
		"UNAVAILABLE: unreachable: shop.v1.Shop is not running")
	if fate := parigot.FateOf(err); fate != parigot.FateRefused {
		t.Fatalf("the service has exited, and the fate is %v", fate)
	}
}

func TestServiceMayExitInReady(t *testing.T) {
	host := parigottest.New(t)
	export := (&shop{sell: echo}).export()
	var said []string
	export.Ready = func(ctx context.Context) *future.Base[bool] {
		parigot.AtExit(ctx, func(context.Context) { said = append(said, "locked") })
		parigot.Exit(ctx, 7)
		panic("Exit has returned")
	}
	service := host.Start("shop", func(ctx context.Context) {
		parigot.Run(ctx, []parigot.Export{export})
	})
	if status := service.Wait(); status != 7 || !slices.Equal(said, []string{"locked"}) {
		t.Fatalf("exited with status %d, and the hooks said %q", status, said)
	}
}

func TestReadyAtOnceIsReady(t *testing.T) {
	ready, err := parigot.ReadyAtOnce{}.Ready(t.Context()).Await(t.Context())
	if !ready || err != nil {
		t.Fatalf("found %v, %v", ready, err)
	}
}
