package main

import (
	"context"
	"testing"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"

	pb "example.com/helloworld/stubs/greeting/v1"
)

// fakeGreeting is a greeting service that answers with the name of the requested tongue.
type fakeGreeting struct{}

func (fakeGreeting) Ready(context.Context) *future.Base[bool] {
	return future.NewBaseWithValue(true)
}

func (fakeGreeting) FetchGreeting(
	_ context.Context, in *pb.FetchGreetingRequest,
) *pb.GreetingFetchGreetingFuture {
	response := &pb.FetchGreetingResponse{Greeting: in.Tongue.String()}
	return pb.GreetingFetchGreetingDone(response, nil)
}

func TestHelloRequestsTheNamedTongue(t *testing.T) {
	host := parigottest.New(t)
	host.Serve(pb.ExportGreeting(fakeGreeting{}))
	greeting := make(chan string, 1)
	hello := host.Start("hello", func(ctx context.Context) {
		text, err := hello(ctx, "german")
		if err != nil {
			t.Error(err)
		}
		greeting <- text
	})
	if status := hello.Wait(); status != 0 {
		t.Fatalf("exited with status %d", status)
	}
	if text := <-greeting; text != "German, world" {
		t.Fatalf("found %q", text)
	}
}
