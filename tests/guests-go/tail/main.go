// Tail serves load.v1.Store, and logs the metadata and deadline of each call. It is the Go version
// of tests/guests/tail.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"

	pb "parigot.test/guests/stubs/load/v1"
)

type tail struct{}

func (tail) Ready(context.Context) *future.Base[bool] { return future.NewBaseWithValue(true) }

func (tail) Keep(ctx context.Context, job *pb.Job) *pb.StoreKeepFuture {
	value := func(key string) string {
		if value, ok := parigot.Metadata(ctx, key); ok {
			return value
		}
		return "-"
	}
	deadline, _ := ctx.Deadline()
	within := time.Until(deadline).Milliseconds()
	parent, state, colour := value("traceparent"), value("tracestate"), value("colour")
	slog.InfoContext(ctx, fmt.Sprintf("%s %s %s within %d ms", parent, state, colour, within))
	select {
	case <-ctx.Done():
		slog.InfoContext(ctx, "cancelled")
	case <-time.After(time.Duration(job.GetAmount()) * time.Millisecond):
	}
	return pb.StoreKeepDone(&pb.Done{Number: job.GetNumber()}, nil)
}

func main() { pb.RunStore(context.Background(), tail{}) }
