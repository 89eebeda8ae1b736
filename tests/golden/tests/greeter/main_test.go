package main

import (
	"errors"
	"testing"

	"github.com/parigot/parigot/parigot-guest-go/parigottest"

	pb "golden.example/helloworld/go/greeting/v1"
)

func TestGeneratedClientCallsGeneratedServer(t *testing.T) {
	host := parigottest.New(t)
	host.Serve(pb.ExportGreeting(greeter{}))
	ctx := host.Client(pb.RequireGreeting())
	greeting := pb.MustLocateGreeting(ctx)

	reply, err := greeting.FetchGreeting(ctx, &pb.FetchGreetingRequest{Tongue: pb.Tongue_French}).Await(ctx)
	if err != nil || reply.GetGreeting() != "bonjour" {
		t.Fatalf("found %v, %v", reply, err)
	}

	_, err = greeting.FetchGreeting(ctx, &pb.FetchGreetingRequest{Tongue: pb.Tongue_German}).Await(ctx)
	var own pb.GreetErr
	if !errors.As(err, &own) || own != pb.GreetErr_UnknownLang || err.Error() != "UnknownLang" {
		t.Fatalf("found %v", err)
	}
}
