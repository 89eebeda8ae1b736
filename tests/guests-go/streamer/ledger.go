package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "parigot.test/guests/stubs/streams"
)

// end is the end of one stream.
type end struct {
	items     int
	isDropped bool
	isWrong   bool // the stream lacks an item, or its end is wrong
	err       error
}

// plan is a stream of so many items, and the item at which the caller leaves it.
type plan struct{ count, leaveAfter int }

// runLedger streams until so many items have arrived, eight streams at a time. In every eighth
// round the service panics.
func runLedger(ctx context.Context, feed pb.FeedClient, most int) string {
	var items, complete, dropped, broken, refused, wrong int
	for round := 1; items < most; round++ {
		ends := make(chan end, 8)
		for index := range cap(ends) {
			plan := plan{rand.IntN(600), rand.IntN(1_200)}
			kind := rand.IntN(3)
			go func() {
				switch {
				case round%8 == 0 && index == 0:
					found := plan.read(feed.Watch(ctx, item("panic %d", plan.count)))
					found.isWrong = found.isWrong || found.err == nil && !found.isDropped
					ends <- found
				case kind == 0:
					ends <- plan.upload(ctx, feed)
				case kind == 1:
					ends <- plan.chat(ctx, feed)
				default:
					ends <- plan.read(feed.Watch(ctx, item("count %d", plan.count)))
				}
			}()
		}
		for range cap(ends) {
			end := <-ends
			items += end.items
			switch fate := parigot.FateOf(end.err); {
			case end.isWrong:
				wrong++
			case end.isDropped:
				dropped++
			case end.err == nil:
				complete++
			case fate == parigot.FateUnknown:
				broken++
			case fate == parigot.FateRefused && end.items == 0:
				refused++
				time.Sleep(time.Millisecond)
			default:
				wrong++
			}
		}
	}
	if complete == 0 {
		panic("some streams must be complete")
	}
	const text = "wrong %d, items %d, complete %d, dropped %d, broken %d, refused %d"
	return fmt.Sprintf(text, wrong, items, complete, dropped, broken, refused)
}

func item(text string, args ...any) *pb.Item { return &pb.Item{Text: fmt.Sprintf(text, args...)} }

// read reads items that are numbers from 0.
func (p plan) read(items parigot.Receiver[*pb.Item]) (end end) {
	for item, err := range items.All() {
		if err != nil {
			end.err = err
			return end
		}
		if end.items == p.leaveAfter {
			end.isDropped = true
			return end
		}
		end.isWrong = end.isWrong || item.GetText() != fmt.Sprint(end.items)
		end.items++
	}
	end.isWrong = end.isWrong || end.items != p.count
	return end
}

func (p plan) upload(ctx context.Context, feed pb.FeedClient) end {
	upload := feed.Upload(ctx)
	defer upload.Cancel()
	for number := range p.count {
		if number == p.leaveAfter {
			return end{items: number, isDropped: true}
		}
		if err := upload.Send(item("%s", strings.Repeat("x", number%50))); err != nil {
			break
		}
	}
	receipt, err := upload.CloseAndRecv()
	if err != nil {
		return end{err: err}
	}
	return end{items: p.count, isWrong: int(receipt.GetItems()) != p.count}
}

func (p plan) chat(ctx context.Context, feed pb.FeedClient) end {
	chat := feed.Chat(ctx)
	go func() {
		for number := range p.count {
			if err := chat.Send(item("%d", number)); err != nil {
				return
			}
		}
		chat.CloseSend()
	}()
	return p.read(chat)
}
