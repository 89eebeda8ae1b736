package main

import (
	"errors"
	"testing"

	"github.com/parigot/parigot/parigot-guest-go/parigottest"

	pb "example.com/helloworld/stubs/greeting/v1"
)

func TestFrenchIsGreetedInFrench(t *testing.T) {
	reply, err := greeter{}.fetchGreeting(&pb.FetchGreetingRequest{Tongue: pb.Tongue_French})
	if err != nil || reply.Greeting != "bonjour" {
		t.Fatalf("found %q, %v", reply.GetGreeting(), err)
	}
}

func TestUnknownTongueIsAnError(t *testing.T) {
	host := parigottest.New(t)
	host.Serve(pb.ExportGreeting(greeter{}))
	ctx := host.Client(pb.RequireGreeting())
	_, err := pb.MustLocateGreeting(ctx).FetchGreeting(ctx, &pb.FetchGreetingRequest{}).Await(ctx)
	if why, ok := errors.AsType[pb.GreetErr](err); !ok || why != pb.GreetErr_UnknownLang {
		t.Fatalf("found %v, want %v", err, pb.GreetErr_UnknownLang)
	}
}
