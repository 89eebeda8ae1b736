// Soak makes a given number of calls to echo.v1.Echo, and logs the start and the end. It is the Go
// version of the caller in the benches.
//
// Arguments: calls, bytes of payload, calls in flight.
package main

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"sync"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	"parigot.test/guests/memory"
	pb "parigot.test/guests/stubs/echo/v1"
)

// warmUp is the number of calls before the first measured call.
const warmUp = 2_000

func main() {
	ctx := context.Background()
	if _, err := parigot.Launch(ctx, pb.RequireEcho()).Await(ctx); err != nil {
		panic(err)
	}
	parigot.AtExit(ctx, memory.Log)
	echo := pb.MustLocateEcho(ctx)
	calls, bytes, inFlight := number(1), number(2), number(3)
	run(ctx, echo, min(warmUp, calls), bytes, inFlight)
	slog.InfoContext(ctx, "begin")
	parigot.Yield(ctx)
	run(ctx, echo, calls, bytes, inFlight)
	slog.InfoContext(ctx, "end")
}

func number(argument int) int {
	number, err := strconv.Atoi(os.Args[argument])
	if err != nil {
		panic(err)
	}
	return number
}

// run makes calls on inFlight goroutines, each of which makes an equal share, one after another.
func run(ctx context.Context, echo pb.EchoClient, calls, bytes, inFlight int) {
	if inFlight == 1 {
		callRepeatedly(ctx, echo, calls, bytes)
		return
	}
	var callers sync.WaitGroup
	for range inFlight {
		callers.Go(func() { callRepeatedly(ctx, echo, calls/inFlight, bytes) })
	}
	callers.Wait()
}

func callRepeatedly(ctx context.Context, echo pb.EchoClient, calls, bytes int) {
	for range calls {
		reply, err := echo.Echo(ctx, &pb.Payload{Data: make([]byte, bytes)}).Await(ctx)
		if err != nil {
			panic(err)
		}
		if len(reply.GetData()) != bytes {
			panic("the reply has another length")
		}
	}
}
