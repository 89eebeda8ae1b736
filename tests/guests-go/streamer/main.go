// Streamer makes streaming calls of streams.Feed, one after the other, and logs how each ends. It
// is the Go version of tests/guests/streamer, which documents the arguments.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "parigot.test/guests/stubs/streams"
)

func main() {
	ctx := context.Background()
	if _, err := parigot.Launch(ctx, pb.RequireFeed()).Await(ctx); err != nil {
		panic(err)
	}
	feed := pb.MustLocateFeed(ctx)
	unread := 0
	for _, argument := range os.Args[1:] {
		word, text, _ := strings.Cut(argument, "=")
		name, option := word, ""
		if at := strings.IndexAny(word, "/@"); at >= 0 {
			name, option = word[:at], word[at:]
		}
		var outcome string
		switch name {
		case "watch":
			outcome = watch(ctx, feed, option, text)
		case "upload":
			outcome = upload(ctx, feed, text)
		case "chat":
			outcome = chat(ctx, feed, option, number(text))
		case "last":
			item, err := feed.Last(ctx, &pb.Item{Text: text}).Await(ctx)
			outcome = ending(item.GetText(), err)
		case "unread":
			count, request, _ := strings.Cut(text, ":")
			for range number(count) {
				feed.Watch(ctx, &pb.Item{Text: request})
				unread++
			}
			outcome = fmt.Sprintf("%d open", unread)
		case "dropped":
			outcome = dropped(ctx, feed, text)
		case "ledger":
			outcome = runLedger(ctx, feed, number(text))
		case "flood":
			outcome = flood(ctx, feed, number(text))
		default:
			panic("unknown call " + name)
		}
		slog.Info(argument + ": " + outcome)
	}
	if unread > 0 {
		parigot.MustRunClient(ctx)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return value
}

func ending(success string, err error) string {
	if err == nil {
		return success
	}
	return fmt.Sprintf("%v: %v", parigot.FateOf(err), err)
}

func watch(ctx context.Context, feed pb.FeedClient, option, request string) string {
	most := -1
	if ms, ok := strings.CutPrefix(option, "@"); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(number(ms))*time.Millisecond)
		defer cancel()
	} else if text, ok := strings.CutPrefix(option, "/"); ok {
		most = number(text)
	}
	count, err := read(feed.Watch(ctx, &pb.Item{Text: request}), most)
	return fmt.Sprintf("%d items, %s", count, ending("complete", err))
}

// read reads responses, at most so many unless most is negative. It returns their number, and how
// the stream has ended.
func read(items parigot.Receiver[*pb.Item], most int) (count int, err error) {
	for _, err := range items.All() {
		if err != nil {
			return count, err
		}
		if count++; count == most {
			break
		}
	}
	return count, nil
}

func upload(ctx context.Context, feed pb.FeedClient, texts string) string {
	upload := feed.Upload(ctx)
	defer upload.Cancel()
	for _, text := range strings.Split(texts, ",") {
		if text == "…" {
			return "broken off"
		}
		if err := upload.Send(&pb.Item{Text: text}); err != nil {
			break
		}
	}
	receipt, err := upload.CloseAndRecv()
	return ending(fmt.Sprint(receipt.GetItems()), err)
}

func chat(ctx context.Context, feed pb.FeedClient, option string, count int) string {
	var pause time.Duration
	if ms, ok := strings.CutPrefix(option, "/"); ok {
		pause = time.Duration(number(ms)) * time.Millisecond
	}
	chat := feed.Chat(ctx)
	sent := make(chan bool, 1)
	go func() {
		for number := range count {
			if number > 0 && pause > 0 {
				time.Sleep(pause)
			}
			if err := chat.Send(&pb.Item{Text: fmt.Sprint(number)}); err != nil {
				sent <- false
				return
			}
		}
		chat.CloseSend()
		sent <- true
	}()
	answered, err := read(chat, -1)
	const text = "sent %v, %d items, %s"
	return fmt.Sprintf(text, <-sent, answered, ending("complete", err))
}

func dropped(ctx context.Context, feed pb.FeedClient, text string) string {
	count, request, _ := strings.Cut(text, ":")
	for range number(count) {
		if _, err := read(feed.Watch(ctx, &pb.Item{Text: request}), 1); err != nil {
			return ending("", err)
		}
	}
	return "dropped"
}

// flood makes unary calls beside streams that are read without a pause.
func flood(ctx context.Context, feed pb.FeedClient, calls int) string {
	ended := make(chan error, 2)
	for range 2 {
		items := feed.Watch(ctx, &pb.Item{Text: "bytes 16"})
		defer items.Cancel()
		go func() {
			_, err := read(items, -1)
			ended <- err
		}()
	}
	for range calls {
		if _, err := feed.Last(ctx, &pb.Item{Text: "x"}).Await(ctx); err != nil {
			return ending("", err)
		}
	}
	select {
	case <-ended:
		return "the streams have ended"
	default:
		return "answered"
	}
}
