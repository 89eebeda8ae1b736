// Changeling exports echo.v1.Echo if the guest starts before the time in its argument, in Unix
// milliseconds, and no service if it starts later.
package main

import (
	"context"
	"os"
	"strconv"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "parigot.test/guests/stubs/echo/v1"
)

type changeling struct{ parigot.ReadyAtOnce }

func (changeling) Echo(_ context.Context, in *pb.Payload) *pb.EchoEchoFuture {
	return pb.EchoEchoDone(in, nil)
}

func (changeling) Misbehave(context.Context, *pb.Deed) *pb.EchoMisbehaveFuture {
	panic("told to panic")
}

func (changeling) Persist(context.Context, *pb.Deed) *pb.EchoPersistFuture {
	panic("told to panic")
}

func main() {
	until, err := strconv.ParseInt(os.Args[1], 10, 64)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if time.Now().UnixMilli() < until {
		pb.RunEcho(ctx, changeling{})
	} else {
		parigot.Run(ctx, nil)
	}
}
