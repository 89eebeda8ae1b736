package samples

import (
	"context"
	"log/slog"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "example.com/helloworld/stubs/greeting/v1"
)

// WithMetadata returns a context whose calls carry metadata.
func WithMetadata(ctx context.Context, signature []byte) context.Context {
	// ANCHOR: send
	ctx = parigot.WithMetadata(ctx, "tenant", "acme")
	ctx = parigot.WithMetadataBin(ctx, "signature-bin", signature)
	// ANCHOR_END: send
	return ctx
}

// Serve reads the metadata of the call, and adds headers and a trailer to its response.
func Serve(ctx context.Context) error {
	// ANCHOR: serve
	parigot.SetHeader(ctx, "served-by", parigot.InstanceID(ctx).String())
	if signature, ok := parigot.MetadataBin(ctx, "signature-bin"); ok {
		parigot.SetHeaderBin(ctx, "signature-bin", signature)
	}
	tenant, ok := parigot.Metadata(ctx, "tenant")
	if !ok {
		return parigot.WithMessage(parigot.Unauthenticated, "no tenant")
	}
	slog.InfoContext(ctx, "called", "tenant", tenant)
	parigot.SetTrailer(ctx, "cost", "7")
	// ANCHOR_END: serve
	return nil
}

// Receive reads the metadata of a response.
func Receive(
	ctx context.Context, greeting pb.GreetingClient, in *pb.FetchGreetingRequest,
) (*pb.FetchGreetingResponse, error) {
	// ANCHOR: receive
	var metadata parigot.ResponseMetadata
	ctx = parigot.WithResponseMetadata(ctx, &metadata)
	response, err := greeting.FetchGreeting(ctx, in).Await(ctx)
	// Filled on success and on failure.
	servedBy, _ := metadata.Headers.Get("served-by")
	cost, _ := metadata.Trailers.Get("cost")
	slog.InfoContext(ctx, "ended", "served by", servedBy, "cost", cost)
	// ANCHOR_END: receive
	return response, err
}
