// Relay serves echo.v1.Echo by calls to load.v1.Store. It is the Go version of tests/guests/relay.
package main

import (
	"context"
	"fmt"
	"log/slog"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"

	echo "parigot.test/guests/stubs/echo/v1"
	load "parigot.test/guests/stubs/load/v1"
)

type relay struct{ store load.StoreClient }

func (r *relay) Ready(ctx context.Context) *future.Base[bool] {
	r.store = load.MustLocateStore(ctx)
	return future.NewBaseWithValue(true)
}

func (r *relay) Echo(ctx context.Context, in *echo.Payload) *echo.EchoEchoFuture {
	return echo.EchoEchoDone(r.echo(ctx, in))
}

func (r *relay) echo(ctx context.Context, in *echo.Payload) (*echo.Payload, error) {
	job := &load.Job{Amount: uint32(len(in.GetData()))}
	if _, err := r.store.Keep(ctx, job).Await(ctx); err != nil {
		slog.InfoContext(ctx, fmt.Sprintf("%v: %v", parigot.FateOf(err), err))
		return nil, echo.EchoErr_Refused
	}
	return in, nil
}

func (r *relay) Misbehave(context.Context, *echo.Deed) *echo.EchoMisbehaveFuture {
	return echo.EchoMisbehaveDone(nil, echo.EchoErr_Refused)
}

func (r *relay) Persist(context.Context, *echo.Deed) *echo.EchoPersistFuture {
	return echo.EchoPersistDone(nil, echo.EchoErr_Refused)
}

func main() {
	echo.RunEcho(context.Background(), &relay{}, load.RequireStore())
}
