// Echo serves echo.v1.Echo, including the failures that its tests request. It is the Go version of
// tests/guests/echo.
package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"

	"parigot.test/guests/memory"
	pb "parigot.test/guests/stubs/echo/v1"
)

type echoing struct{}

func (echoing) Ready(context.Context) *future.Base[bool] { return future.NewBaseWithValue(true) }

func (echoing) Echo(_ context.Context, in *pb.Payload) *pb.EchoEchoFuture {
	return pb.EchoEchoDone(in, nil)
}

func (e echoing) Misbehave(ctx context.Context, deed *pb.Deed) *pb.EchoMisbehaveFuture {
	return pb.EchoMisbehaveDone(e.misbehave(ctx, deed))
}

func (e echoing) Persist(ctx context.Context, deed *pb.Deed) *pb.EchoPersistFuture {
	return pb.EchoPersistDone(e.misbehave(ctx, deed))
}

func (echoing) misbehave(ctx context.Context, deed *pb.Deed) (*pb.Payload, error) {
	number := int(deed.GetNumber())
	switch deed.GetKind() {
	case pb.Deed_Panic:
		panic("told to panic")
	case pb.Deed_Trap:
		trap()
	case pb.Deed_Leave:
		parigot.Exit(ctx, number)
	case pb.Deed_Refuse:
		return nil, pb.EchoErr_Refused
	case pb.Deed_Hang:
		slog.InfoContext(ctx, "hanging")
		<-ctx.Done()
		slog.InfoContext(ctx, "cancelled")
	case pb.Deed_Sleep:
		slog.InfoContext(ctx, "sleeping")
		time.Sleep(time.Duration(number) * time.Millisecond)
	case pb.Deed_Swell:
		return &pb.Payload{Data: make([]byte, number)}, nil
	case pb.Deed_Spin:
		for {
		}
	case pb.Deed_Toil:
		toil(ctx, number)
	}
	return new(pb.Payload), nil
}

// trap fails in a way that Go's runtime cannot recover from.
func trap() {
	var mutex sync.Mutex
	mutex.Unlock()
}

// toil starts goroutines, each of which holds the thread for about a millisecond.
func toil(ctx context.Context, tasks int) {
	var workers sync.WaitGroup
	for range tasks {
		workers.Go(func() {
			parigot.Yield(ctx)
			sum := 0
			for k := range 200_000 {
				sum ^= k
			}
			sink = sum
		})
	}
	workers.Wait()
}

// sink keeps the compiler from removing computations with unused results.
var sink int

func main() {
	ctx := context.Background()
	parigot.AtExit(ctx, memory.Log)
	pb.RunEcho(ctx, echoing{})
}
