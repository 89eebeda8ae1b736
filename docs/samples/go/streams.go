package samples

import (
	"context"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "parigot.test/guests/stubs/streams"
)

// News has methods that stream.
type News struct{ parigot.ReadyAtOnce }

// Last is a method that does not stream.
func (News) Last(_ context.Context, in *pb.Item) *pb.FeedLastFuture {
	return pb.FeedLastDone(in, nil)
}

// ANCHOR: handler

// Watch sends the request ten times.
func (News) Watch(_ context.Context, in *pb.Item, out parigot.Sender[*pb.Item]) error {
	for range 10 {
		if err := out.Send(in); err != nil {
			return err // the caller has left
		}
		time.Sleep(time.Second)
	}
	return nil
}

// Upload counts the requests.
func (News) Upload(_ context.Context, in parigot.Receiver[*pb.Item]) (*pb.Receipt, error) {
	receipt := new(pb.Receipt)
	for _, err := range in.All() {
		if err != nil {
			return nil, err // the requests are incomplete
		}
		receipt.Items++
	}
	return receipt, nil
}

// Chat returns each request.
func (News) Chat(
	_ context.Context, in parigot.Receiver[*pb.Item], out parigot.Sender[*pb.Item],
) error {
	for note, err := range in.All() {
		if err != nil {
			return err
		}
		if err := out.Send(note); err != nil {
			return err
		}
	}
	return nil
}

// ANCHOR_END: handler

// ANCHOR: caller

// Watch reads responses. A break of the loop would cancel the call.
func Watch(ctx context.Context, feed pb.FeedClient) error {
	for item, err := range feed.Watch(ctx, &pb.Item{Text: "news"}).All() {
		if err != nil {
			return err // the responses are incomplete
		}
		_ = item // …
	}
	return nil
}

// Upload sends requests, and returns the response.
func Upload(ctx context.Context, feed pb.FeedClient, items []*pb.Item) (*pb.Receipt, error) {
	upload := feed.Upload(ctx)
	defer upload.Cancel() // after an early return, the requests must not look complete
	for _, item := range items {
		if err := upload.Send(item); err != nil {
			break // the service has ended the call: CloseAndRecv returns its result
		}
	}
	return upload.CloseAndRecv()
}

// Chat sends on one goroutine, and reads on another one.
func Chat(ctx context.Context, feed pb.FeedClient, items []*pb.Item) error {
	chat := feed.Chat(ctx)
	go func() {
		for _, item := range items {
			if err := chat.Send(item); err != nil {
				return // All has the error
			}
		}
		chat.CloseSend()
	}()
	for answer, err := range chat.All() {
		if err != nil {
			return err
		}
		_ = answer // …
	}
	return nil
}

// ANCHOR_END: caller
