package samples

import (
	"context"
	"log/slog"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "example.com/helloworld/stubs/greeting/v1"
)

// Greeter is a service whose handler fails in several ways.
type Greeter struct{ parigot.ReadyAtOnce }

// ANCHOR: fail

// FetchGreeting returns a greeting.
func (g Greeter) FetchGreeting(
	ctx context.Context, in *pb.FetchGreetingRequest,
) *pb.GreetingFetchGreetingFuture {
	return pb.GreetingFetchGreetingDone(g.fetch(ctx, in))
}

func (Greeter) fetch(
	ctx context.Context, in *pb.FetchGreetingRequest,
) (*pb.FetchGreetingResponse, error) {
	switch in.Tongue {
	case pb.Tongue_Unspecified:
		return nil, pb.GreetErr_UnknownLang // a value of the enum alone
	case pb.Tongue_German:
		// With a text for people, and a message for programs.
		err := parigot.WithMessage(pb.GreetErr_UnknownLang, "the translator is back in 3 s")
		return nil, parigot.WithDetail(err, durationpb.New(3*time.Second))
	case pb.Tongue_French:
		// A status, which needs no value in the enum.
		return nil, parigot.WithMessage(parigot.Unauthenticated, "no tenant")
	}
	next, err := pb.LocateGreeting(ctx)
	if err != nil {
		return nil, err
	}
	return next.FetchGreeting(ctx, in).Await(ctx) // passes on the failure of a nested call
}

// ANCHOR_END: fail

// Inspect logs the parts of an error.
func Inspect(ctx context.Context, err error) {
	// ANCHOR: details
	slog.InfoContext(ctx, "failed", "code", parigot.CodeOf(err), "message", parigot.MessageOf(err))
	for _, pause := range parigot.DetailsOf[*durationpb.Duration](err) {
		slog.InfoContext(ctx, "retry later", "after", pause.AsDuration())
	}
	// ANCHOR_END: details
}

// FetchGreeting retries a call for up to 30 seconds.
func FetchGreeting(
	ctx context.Context, greeting pb.GreetingClient, in *pb.FetchGreetingRequest,
) (*pb.FetchGreetingResponse, error) {
	// ANCHOR: retry
	policy := parigot.RetryPolicy{Attempts: 20, Time: 30 * time.Second}
	return parigot.Retry(ctx, policy, func() *pb.GreetingFetchGreetingFuture {
		return greeting.FetchGreeting(ctx, in)
	})
	// ANCHOR_END: retry
}
