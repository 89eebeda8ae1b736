// Mishap makes the mistake that the variable MISHAP names: as a program or, if SERVE is set, as
// echo.v1.Echo. It logs everywhere.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"runtime"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "parigot.test/guests/stubs/echo/v1"
)

var mishap = os.Getenv("MISHAP")

func init() {
	slog.Warn("slog in init", "loaves", 3)
	log.Print("log in init")
	if mishap == "fatal in init" {
		log.Fatal("no oven in init")
	}
}

func main() {
	ctx := context.Background()
	if os.Getenv("SERVE") != "" {
		pb.RunEcho(ctx, &echoing{released: make(chan struct{})})
		return
	}
	slog.Error("slog in main")
	log.Print("log in main")
	switch mishap {
	case "fatal in main":
		log.Fatalf("no oven in %s", "main")
	case "stderr in main":
		fmt.Fprintln(os.Stderr, "no oven on stderr")
		os.Exit(3)
	}
	launch := parigot.Launch(ctx)
	if mishap == "fatal at once" {
		log.Fatal("no oven at once")
	}
	if _, err := launch.Await(ctx); err != nil {
		panic(err)
	}
	slog.Info("launched", "loaves", 3, "name", "rye bread", "took", 1500*time.Millisecond,
		slog.Group("oven", "hot", true), "level", "high")
	switch mishap {
	case "fatal":
		fmt.Fprintln(os.Stderr, "before")
		log.Fatal("no oven")
	case "panic":
		panic(errors.New("the oven is cold"))
	case "block":
		<-make(chan int)
	case "swell":
		swell(ctx)
	}
}

// swell uses all memory, in a program whose goroutines take long to print.
func swell(ctx context.Context) {
	for range 3000 {
		go func() { <-make(chan int) }()
	}
	var kept [][]byte
	for {
		parigot.Yield(ctx)
		kept = append(kept, make([]byte, 1<<20))
		kept[len(kept)-1][0] = 1
	}
}

type echoing struct {
	parigot.ReadyAtOnce
	released chan struct{}
}

// Echo releases the call of Misbehave, and blocks.
func (e *echoing) Echo(ctx context.Context, in *pb.Payload) *pb.EchoEchoFuture {
	close(e.released)
	time.Sleep(time.Hour)
	return pb.EchoEchoDone(in, nil)
}

// Misbehave makes the mistake.
func (e *echoing) Misbehave(ctx context.Context, _ *pb.Deed) *pb.EchoMisbehaveFuture {
	slog.InfoContext(ctx, "handler", "loaves", 3)
	switch mishap {
	case "goexit":
		runtime.Goexit()
	case "fatal":
		log.Fatal("no flour")
	case "panic":
		<-e.released
		panic("told to panic")
	}
	return pb.EchoMisbehaveDone(new(pb.Payload), nil)
}

func (e *echoing) Persist(_ context.Context, _ *pb.Deed) *pb.EchoPersistFuture {
	return pb.EchoPersistDone(new(pb.Payload), nil)
}
