package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/parigottest"

	pb "example.com/pizzeria/stubs/go/riders/v1"
)

func TestEachRiderAnswersDifferently(t *testing.T) {
	for rider, want := range map[string]error{
		"ann": nil,
		"bob": pb.RidersErr_OffDuty,
		"zoe": pb.RidersErr_UnknownRider,
	} {
		if _, err := (riders{}).fetchOffer(t.Context(), rider); err != want {
			t.Errorf("%s: found %v, want %v", rider, err, want)
		}
	}
}

func TestSilentRiderTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := parigottest.New(t)
		host.Serve(pb.ExportRiders(riders{}))
		ctx, cancel := context.WithTimeout(host.Client(pb.RequireRiders()), time.Hour)
		defer cancel()
		request := &pb.FetchOfferRequest{Rider: "cid"}
		_, err := pb.MustLocateRiders(ctx).FetchOffer(ctx, request).Await(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("found %v", err)
		}
	})
}
