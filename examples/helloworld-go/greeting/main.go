// Greeting is the greeting service.
package main

import (
	"context"

	"github.com/parigot/parigot/parigot-guest-go/future"

	pb "example.com/helloworld/stubs/greeting/v1"
)

type greeter struct{}

// Ready is called once, before the first call. This service needs nothing.
func (greeter) Ready(context.Context) *future.Base[bool] { return future.NewBaseWithValue(true) }

// FetchGreeting is the method on the wire.
func (g greeter) FetchGreeting(_ context.Context, in *pb.FetchGreetingRequest) *pb.GreetingFetchGreetingFuture {
	return pb.GreetingFetchGreetingDone(g.fetchGreeting(in))
}

func (greeter) fetchGreeting(in *pb.FetchGreetingRequest) (*pb.FetchGreetingResponse, error) {
	switch in.GetTongue() {
	case pb.Tongue_English:
		return &pb.FetchGreetingResponse{Greeting: "hello"}, nil
	case pb.Tongue_French:
		return &pb.FetchGreetingResponse{Greeting: "bonjour"}, nil
	case pb.Tongue_German:
		return &pb.FetchGreetingResponse{Greeting: "guten tag"}, nil
	}
	return nil, pb.GreetErr_UnknownLang
}

func main() { pb.RunGreeting(context.Background(), greeter{}) }
