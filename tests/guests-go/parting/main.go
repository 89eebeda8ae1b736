// Parting is a program that runs until the host requests its exit, and calls echo.v1.Echo in an
// exit hook. It is the Go version of tests/guests/parting.
package main

import (
	"context"
	"log/slog"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "parigot.test/guests/stubs/echo/v1"
)

func main() {
	ctx := context.Background()
	if _, err := parigot.Launch(ctx, pb.RequireEcho()).Await(ctx); err != nil {
		panic(err)
	}
	echo := pb.MustLocateEcho(ctx)
	parigot.AtExit(ctx, func(ctx context.Context) {
		answer, err := echo.Echo(ctx, &pb.Payload{Data: make([]byte, 7)}).Await(ctx)
		slog.InfoContext(ctx, "goodbye", "bytes", len(answer.GetData()), "err", err)
	})
	parigot.AtExit(ctx, func(context.Context) { select {} })
	slog.InfoContext(ctx, "asleep")
	parigot.MustRunClient(ctx)
}
