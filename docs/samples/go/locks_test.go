package samples_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"

	samples "example.com/samples"

	pb "example.com/helloworld/stubs/greeting/v1"
)

// The race detector finds an access without the lock; the count finds a lock in the wrong place.
func TestHandlersInParallelSellNoGreetingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls, most = 100, 10
		slow := func(context.Context, pb.Tongue) (string, error) {
			time.Sleep(time.Second)
			return "bonjour", nil
		}
		host := parigottest.New(t)
		host.Serve(pb.ExportGreeting(samples.NewTranslator(most, slow)))
		ctx := host.Client(pb.RequireGreeting())
		greeting := pb.MustLocateGreeting(ctx)
		var pending []*pb.GreetingFetchGreetingFuture
		for range calls {
			pending = append(pending, greeting.FetchGreeting(ctx, &pb.FetchGreetingRequest{}))
		}
		sold := 0
		for _, each := range pending {
			switch _, err := each.Await(ctx); {
			case err == nil:
				sold++
			case !errors.Is(err, parigot.ResourceExhausted):
				t.Errorf("found %v", err)
			}
		}
		if sold != most {
			t.Errorf("sold %d greetings, want %d", sold, most)
		}
	})
}

func TestAFailedTranslationIsNotSold(t *testing.T) {
	fail := func(context.Context, pb.Tongue) (string, error) { return "", parigot.Aborted }
	host := parigottest.New(t)
	host.Serve(pb.ExportGreeting(samples.NewTranslator(1, fail)))
	ctx := host.Client(pb.RequireGreeting())
	for range 2 {
		request := &pb.FetchGreetingRequest{}
		_, err := pb.MustLocateGreeting(ctx).FetchGreeting(ctx, request).Await(ctx)
		if !errors.Is(err, parigot.Aborted) {
			t.Fatalf("found %v, want %v", err, parigot.Aborted)
		}
	}
}
