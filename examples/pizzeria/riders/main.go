// Riders is the service of the riders who deliver.
package main

import (
	"context"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "example.com/pizzeria/stubs/go/riders/v1"
)

type riders struct{ parigot.ReadyAtOnce }

// FetchOffer is the method on the wire.
func (r riders) FetchOffer(ctx context.Context, in *pb.FetchOfferRequest) *pb.RidersFetchOfferFuture {
	return pb.RidersFetchOfferDone(r.fetchOffer(ctx, in.GetRider()))
}

func (riders) fetchOffer(ctx context.Context, rider string) (*pb.FetchOfferResponse, error) {
	switch rider {
	case "ann":
		return &pb.FetchOfferResponse{Minutes: 12}, nil
	case "bob":
		return nil, pb.RidersErr_OffDuty
	case "cid": // does not hear the phone, however long it rings
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, pb.RidersErr_UnknownRider
}

func main() { pb.RunRiders(context.Background(), riders{}) }
