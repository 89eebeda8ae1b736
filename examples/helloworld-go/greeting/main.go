// Greeting is the greeting service.
package main

import (
	"context"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "example.com/helloworld/stubs/greeting/v1"
)

type greeter struct{ parigot.ReadyAtOnce }

// FetchGreeting implements the rpc.
func (g greeter) FetchGreeting(
	_ context.Context, in *pb.FetchGreetingRequest,
) *pb.GreetingFetchGreetingFuture {
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
