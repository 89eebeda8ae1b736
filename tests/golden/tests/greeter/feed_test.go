package main

import (
	"context"
	"errors"
	"testing"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"

	pb "golden.example/streams/go/streams"
)

type feed struct{ parigot.ReadyAtOnce }

func (feed) Last(_ context.Context, in *pb.Item) *pb.FeedLastFuture {
	return pb.FeedLastDone(in, nil)
}

func (feed) Watch(_ context.Context, in *pb.Item, out parigot.Sender[*pb.Item]) error {
	return errors.Join(out.Send(in), out.Send(in))
}

func (feed) Upload(_ context.Context, in parigot.Receiver[*pb.Item]) (*pb.Receipt, error) {
	receipt := new(pb.Receipt)
	for _, err := range in.All() {
		if err != nil {
			return nil, err
		}
		receipt.Items++
	}
	return receipt, nil
}

func (feed) Chat(_ context.Context, in parigot.Receiver[*pb.Item], out parigot.Sender[*pb.Item]) error {
	first, err := in.Recv()
	if err != nil {
		return err
	}
	if err := out.Send(first); err != nil {
		return err
	}
	return pb.FeedErr_FULL
}

func TestGeneratedClientStreams(t *testing.T) {
	host := parigottest.New(t)
	host.Serve(pb.ExportFeed(feed{}))
	ctx := host.Client(pb.RequireFeed())
	feed := pb.MustLocateFeed(ctx)

	items := 0
	for item, err := range feed.Watch(ctx, &pb.Item{Text: "news"}).All() {
		if err != nil || item.GetText() != "news" {
			t.Fatalf("found %v, %v", item, err)
		}
		items++
	}
	upload := feed.Upload(ctx)
	for range items {
		if err := upload.Send(&pb.Item{}); err != nil {
			t.Fatal(err)
		}
	}
	receipt, err := upload.CloseAndRecv()
	if err != nil || receipt.GetItems() != 2 {
		t.Fatalf("found %v, %v", receipt, err)
	}

	chat := feed.Chat(ctx)
	if err := chat.Send(&pb.Item{Text: "one"}); err != nil {
		t.Fatal(err)
	}
	item, err := chat.Recv()
	if err != nil || item.GetText() != "one" {
		t.Fatalf("found %v, %v", item, err)
	}
	var own pb.FeedErr
	if _, err = chat.Recv(); !errors.As(err, &own) || own != pb.FeedErr_FULL {
		t.Fatalf("found %v", err)
	}
}
