// Hello fetches a greeting in the language of --tongue, and logs the greeting.
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

// hello returns the greeting to the world.
func hello(ctx context.Context, tongue string) (string, error) {
	if _, err := parigot.Launch(ctx, pb.RequireGreeting()).Await(ctx); err != nil {
		return "", err
	}
	greeting, err := pb.LocateGreeting(ctx)
	if err != nil {
		return "", err
	}
	request := &pb.FetchGreetingRequest{Tongue: named(tongue)}
	reply, err := greeting.FetchGreeting(ctx, request).Await(ctx)
	if err != nil {
		return "", fmt.Errorf("no greeting: %w", err)
	}
	return reply.Greeting + ", world", nil
}

// named returns the tongue of that name. An unknown name gives Unspecified, which the service
// rejects.
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
