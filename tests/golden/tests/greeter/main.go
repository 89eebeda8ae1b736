// Command greeter is a guest that implements a generated service.
package main

import (
	"context"

	"github.com/parigot/parigot/parigot-guest-go/future"

	pb "golden.example/helloworld/go/greeting/v1"
)

type greeter struct{}

func (greeter) Ready(context.Context) *future.Base[bool] { return future.NewBaseWithValue(true) }

func (greeter) FetchGreeting(_ context.Context, in *pb.FetchGreetingRequest) *pb.GreetingFetchGreetingFuture {
	return pb.GreetingFetchGreetingDone(greet(in))
}

func greet(in *pb.FetchGreetingRequest) (*pb.FetchGreetingResponse, error) {
	if in.GetTongue() != pb.Tongue_French {
		return nil, pb.GreetErr_UnknownLang
	}
	return &pb.FetchGreetingResponse{Greeting: "bonjour"}, nil
}

func main() { pb.RunGreeting(context.Background(), greeter{}) }
