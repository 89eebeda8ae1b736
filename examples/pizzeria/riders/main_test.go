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

func TestEachRiderAnswersInAnotherWay(t *testing.T) {
	for rider, want := range map[string]error{"ann": nil, "bob": pb.RidersErr_OffDuty, "zoe": pb.RidersErr_UnknownRider} {
		if _, err := (riders{}).fetchOffer(t.Context(), rider); err != want {
			t.Errorf("%s: found %v, want %v", rider, err, want)
		}
	}
}

func TestARiderWhoIsSilentKeepsNobodyLongerThanTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := parigottest.New(t)
		host.Serve(pb.ExportRiders(riders{}))
		ctx, cancel := context.WithTimeout(host.Client(pb.RequireRiders()), time.Hour)
		defer cancel()
		_, err := pb.MustLocateRiders(ctx).FetchOffer(ctx, &pb.FetchOfferRequest{Rider: "cid"}).Await(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("found %v", err)
		}
	})
}
