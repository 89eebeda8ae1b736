// Riders is the service of the delivery riders.
package main

import (
	"context"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "example.com/pizzeria/stubs/go/riders/v1"
)

type riders struct{ parigot.ReadyAtOnce }

// FetchOffer implements the rpc.
func (r riders) FetchOffer(
	ctx context.Context, in *pb.FetchOfferRequest,
) *pb.RidersFetchOfferFuture {
	return pb.RidersFetchOfferDone(r.fetchOffer(ctx, in.GetRider()))
}

func (riders) fetchOffer(ctx context.Context, rider string) (*pb.FetchOfferResponse, error) {
	switch rider {
	case "ann":
		return &pb.FetchOfferResponse{Minutes: 12}, nil
	case "bob":
		return nil, pb.RidersErr_OffDuty
	case "cid": // never answers the phone
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, pb.RidersErr_UnknownRider
}

func main() { pb.RunRiders(context.Background(), riders{}) }
