// Feed serves streams.Feed. It is the Go version of tests/guests/feed, which documents the
// commands.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "parigot.test/guests/stubs/streams"
)

type feeding struct{ parigot.ReadyAtOnce }

func (feeding) Last(_ context.Context, in *pb.Item) *pb.FeedLastFuture {
	return pb.FeedLastDone(in, nil)
}

func (feeding) Watch(ctx context.Context, in *pb.Item, out parigot.Sender[*pb.Item]) error {
	command, text, _ := strings.Cut(in.GetText(), " ")
	argument, _ := strconv.Atoi(text)
	pause := time.Duration(argument) * time.Millisecond
	switch command {
	case "bytes":
		for {
			if err := out.Send(&pb.Item{Text: strings.Repeat("x", argument)}); err != nil {
				return err
			}
		}
	case "open":
		parigot.SendHeaders(ctx)
		return hang(ctx)
	case "hang":
		return hang(ctx)
	case "sleep":
		for _, text := range []string{"first", "second"} {
			time.Sleep(pause)
			if err := out.Send(&pb.Item{Text: text}); err != nil {
				return err
			}
		}
		return nil
	}
	for number := range argument {
		if command == "toil" {
			toil()
		}
		if err := out.Send(&pb.Item{Text: fmt.Sprint(number)}); err != nil {
			return err
		}
	}
	switch command {
	case "full":
		return pb.FeedErr_FULL
	case "panic":
		panic("told to panic")
	case "trap":
		new(sync.Mutex).Unlock() // a failure that Go's runtime cannot recover from
	case "exit":
		parigot.Exit(ctx, argument)
	}
	return nil
}

func (feeding) Upload(
	ctx context.Context, in parigot.Receiver[*pb.Item],
) (*pb.Receipt, error) {
	receipt := new(pb.Receipt)
	for item, err := range in.All() {
		if err != nil {
			slog.InfoContext(ctx, fmt.Sprintf("upload: %v", parigot.CodeOf(err)))
			return nil, err
		}
		receipt.Items++
		switch item.GetText() {
		case "stop":
			return receipt, nil
		case "full":
			return nil, pb.FeedErr_FULL
		case "panic":
			panic("told to panic")
		case "hang":
			return nil, hang(ctx)
		}
	}
	return receipt, nil
}

func (feeding) Chat(
	_ context.Context, in parigot.Receiver[*pb.Item], out parigot.Sender[*pb.Item],
) error {
	for item, err := range in.All() {
		if err != nil {
			return err
		}
		if err := out.Send(item); err != nil {
			return err
		}
	}
	return nil
}

// toil holds the thread for some milliseconds.
func toil() {
	sum := 0
	for k := range 3_000_000 {
		sum ^= k
	}
	sink = sum
}

// sink keeps the compiler from removing the work of toil.
var sink int

// hang waits for the end of the call.
func hang(ctx context.Context) error {
	slog.InfoContext(ctx, "hanging")
	<-ctx.Done()
	slog.InfoContext(ctx, "handler dropped")
	return ctx.Err()
}

func main() { pb.RunFeed(context.Background(), feeding{}) }
