// Parting is a program that does not end by itself, and says goodbye to echo.v1.Echo when it must, as tests/guests/parting does in Rust.
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
