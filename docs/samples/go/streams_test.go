package samples

import (
	"testing"
	"testing/synctest"

	"github.com/parigot/parigot/parigot-guest-go/parigottest"

	pb "parigot.test/guests/stubs/streams"
)

func TestNewsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := parigottest.New(t)
		host.Serve(pb.ExportFeed(News{}))
		ctx := host.Client(pb.RequireFeed())
		feed := pb.MustLocateFeed(ctx)
		items := make([]*pb.Item, 9)
		for k := range items {
			items[k] = &pb.Item{Text: "note"}
		}
		if err := Watch(ctx, feed); err != nil {
			t.Error(err)
		}
		if receipt, err := Upload(ctx, feed, items); err != nil || receipt.GetItems() != 9 {
			t.Errorf("found %v, %v", receipt, err)
		}
		if err := Chat(ctx, feed, items); err != nil {
			t.Error(err)
		}
	})
}
