// Hello asks for a greeting in the tongue that --tongue names, and logs it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "example.com/helloworld/stubs/greeting/v1"
)

func main() {
	tongue := flag.String("tongue", "", "english, french or german")
	flag.Parse()
	ctx := context.Background()
	text, err := hello(ctx, *tongue)
	if err != nil {
		slog.ErrorContext(ctx, err.Error())
		parigot.Exit(ctx, 1)
	}
	slog.InfoContext(ctx, text)
}

// hello returns what is to be said to the world.
func hello(ctx context.Context, tongue string) (string, error) {
	if _, err := parigot.Launch(ctx, pb.RequireGreeting()).Await(ctx); err != nil {
		return "", err
	}
	greeting, err := pb.LocateGreeting(ctx)
	if err != nil {
		return "", err
	}
	reply, err := greeting.FetchGreeting(ctx, &pb.FetchGreetingRequest{Tongue: named(tongue)}).Await(ctx)
	if err != nil {
		return "", fmt.Errorf("no greeting: %w", err)
	}
	return reply.Greeting + ", world", nil
}

// named returns the tongue of that name. What is no tongue of ours is Unspecified: whether to greet in it is the service's business.
func named(name string) pb.Tongue {
	switch name {
	case "english":
		return pb.Tongue_English
	case "french":
		return pb.Tongue_French
	case "german":
		return pb.Tongue_German
	}
	return pb.Tongue_Unspecified
}
