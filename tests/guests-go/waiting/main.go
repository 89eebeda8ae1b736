// Waiting serves echo.v1.Echo. The method Echo waits for an hour in the way that the payload names.
// For "later" it answers an hour after its handler has returned.
package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/future"

	pb "parigot.test/guests/stubs/echo/v1"
	"parigot.test/guests/waits"
)

type waiting struct{}

func (waiting) Ready(context.Context) *future.Base[bool] { return future.NewBaseWithValue(true) }

func (waiting) Echo(ctx context.Context, in *pb.Payload) *pb.EchoEchoFuture {
	slog.InfoContext(ctx, "begun")
	if string(in.GetData()) == "later" {
		answer := future.New[*pb.Payload, pb.EchoErr]()
		time.AfterFunc(time.Hour, func() { answer.Complete(in, nil) })
		return answer
	}
	waits.Ways[string(in.GetData())](ctx, time.Hour)
	return pb.EchoEchoDone(in, nil)
}

func (waiting) Misbehave(context.Context, *pb.Deed) *pb.EchoMisbehaveFuture {
	return pb.EchoMisbehaveDone(new(pb.Payload), nil)
}

func (waiting) Persist(context.Context, *pb.Deed) *pb.EchoPersistFuture {
	return pb.EchoPersistDone(new(pb.Payload), nil)
}

func main() { pb.RunEcho(context.Background(), waiting{}) }
