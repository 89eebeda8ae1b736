package samples

import (
	"context"
	"log/slog"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "example.com/helloworld/stubs/greeting/v1"
)

// GreetTwice uses two exporters of one service.
func GreetTwice(ctx context.Context) error {
	// ANCHOR: bindings
	work, home := pb.RequireGreeting().As("work"), pb.RequireGreeting().As("home")
	if _, err := parigot.Launch(ctx, work, home).Await(ctx); err != nil {
		return err
	}
	for _, binding := range []string{"work", "home"} {
		greeting, err := pb.LocateGreetingNamed(ctx, binding)
		if err != nil {
			return err
		}
		reply, err := greeting.FetchGreeting(ctx, &pb.FetchGreetingRequest{}).Await(ctx)
		if err != nil {
			return err
		}
		slog.InfoContext(ctx, reply.Greeting)
	}
	// ANCHOR_END: bindings
	return nil
}
