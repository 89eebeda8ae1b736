// Waiter waits for an hour in each way that Go offers: in main, in goroutines, and for handlers of
// echo.v1.Echo that wait. It logs the time of each wake-up.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "parigot.test/guests/stubs/echo/v1"
	"parigot.test/guests/waits"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
	defer cancel()
	if _, err := parigot.Launch(ctx, pb.RequireEcho()).Await(ctx); err != nil {
		panic(err)
	}
	echo := pb.MustLocateEcho(ctx)
	began := time.Now()
	woke := func(what string) {
		slog.InfoContext(ctx, fmt.Sprintf("%s woke after %v", what, time.Since(began)))
	}
	var waiting sync.WaitGroup
	await := func(name string) {
		if _, err := echo.Echo(ctx, &pb.Payload{Data: []byte(name)}).Await(ctx); err != nil {
			panic(err)
		}
		woke("await " + name)
	}
	waiting.Go(func() { await("later") })
	for name, wait := range waits.Ways {
		waiting.Go(func() {
			wait(ctx, time.Hour)
			woke("goroutine " + name)
		})
		waiting.Go(func() { await(name) })
	}
	waiting.Go(func() {
		// These turns set no timer. The runtime must keep the timers of earlier turns.
		for range 10 {
			if _, err := echo.Misbehave(ctx, new(pb.Deed)).Await(ctx); err != nil {
				panic(err)
			}
		}
	})
	slog.InfoContext(ctx, "begun")
	waits.Ways[os.Args[1]](ctx, time.Hour)
	woke("main")
	waiting.Wait()
}
