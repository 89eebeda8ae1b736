package parigot_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"
)

func TestDeadlineCoversTheWholeStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		atCallee := make(chan error, 1)
		ctx, feed := openWatch(t, func(ctx context.Context, _ *text, out sender) error {
			for {
				if err := out.Send(say("tick")); err != nil {
					atCallee <- err
					return err
				}
				time.Sleep(time.Minute)
			}
		})
		began := time.Now()
		late, cancel := context.WithTimeout(ctx, time.Hour-time.Second)
		defer cancel()
		texts, err := readAll(feed.watch(late, say("")))
		checkError(t, err, "DEADLINE_EXCEEDED: timed out: it was not answered in time")
		if took := time.Since(began); len(texts) != 60 || took != time.Hour-time.Second {
			t.Fatalf("found %d messages in %v", len(texts), took)
		}
		err = <-atCallee
		checkError(t, err, "DEADLINE_EXCEEDED: the deadline of the call has passed")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("found %v", err)
		}
	})
}

func TestDefaultDeadlineEndsWithTheFirstFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, feed := openWatch(t, func(ctx context.Context, in *text, out sender) error {
			if _, ok := ctx.Deadline(); ok {
				t.Error("the handler's own calls would inherit the default deadline")
			}
			if in.Value == "slow" {
				<-ctx.Done()
				return ctx.Err()
			}
			parigot.SendHeaders(ctx)
			time.Sleep(time.Hour)
			return out.Send(say("late"))
		})
		texts, err := readAll(feed.watch(ctx, say("")))
		if err != nil || !slices.Equal(texts, []string{"late"}) {
			t.Fatalf("found %v, %v", texts, err)
		}
		began := time.Now()
		_, err = readAll(feed.watch(ctx, say("slow")))
		checkError(t, err, "DEADLINE_EXCEEDED: timed out: it was not answered in time")
		if took := time.Since(began); took != 3*time.Second {
			t.Fatalf("it took %v", took)
		}
	})
}

func TestCallThatCannotBeginFailsItsStream(t *testing.T) {
	ctx, feed := openChat(t, func(context.Context, receiver, sender) error { return nil })
	ended, cancel := context.WithCancel(ctx)
	cancel()
	chat := feed.chat(ended)
	const text = "CANCELLED: cancelled: the caller cancelled the call"
	checkError(t, chat.Send(say("")), text)
	chat.CloseSend()
	_, err := readAll(chat)
	checkError(t, err, text)
}

func TestHeadersPrecedeTheFirstResponse(t *testing.T) {
	ctx, feed := openWatch(t, func(ctx context.Context, in *text, out sender) error {
		parigot.SetHeader(ctx, "early", "1")
		if in.Value == "open" {
			parigot.SendHeaders(ctx)
		} else if err := out.Send(say("one")); err != nil {
			return err
		}
		parigot.SetHeader(ctx, "late", "1")
		parigot.SetTrailer(ctx, "cost", "2")
		parigot.SendHeaders(ctx)
		return soldOut
	})
	for _, how := range []string{"open", "send"} {
		var metadata parigot.ResponseMetadata
		_, err := readAll(feed.watch(parigot.WithResponseMetadata(ctx, &metadata), say(how)))
		checkError(t, err, "SoldOut")
		if len(metadata.Headers) != 1 || len(metadata.Trailers) != 1 {
			t.Fatalf("%s: found %v", how, metadata)
		}
	}
}

func TestStreamIsClosedWhenItsHandlerHasReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan error, 2)
		ctx, feed := openChat(t, func(_ context.Context, in receiver, out sender) error {
			go func() {
				_, err := readAll(in)
				late <- err
			}()
			go func() {
				for {
					if err := out.Send(say("more")); err != nil {
						late <- err
						return
					}
				}
			}()
			time.Sleep(time.Second)
			return nil
		})
		chat := feed.chat(ctx)
		time.Sleep(2 * time.Second)
		for range 2 {
			checkError(t, <-late, "CANCELLED: the stream is closed: its call has ended")
		}
		if texts, err := readAll(chat); err != nil || len(texts) != 4 {
			t.Fatalf("found %v, %v", texts, err)
		}
	})
}

func TestGoexitInAStreamingHandlerFailsTheCall(t *testing.T) {
	ctx, feed := openWatch(t, func(_ context.Context, _ *text, out sender) error {
		if err := out.Send(say("one")); err != nil {
			return err
		}
		runtime.Goexit()
		return nil
	})
	texts, err := readAll(feed.watch(ctx, say("")))
	checkError(t, err, exitedHandler)
	if !slices.Equal(texts, []string{"one"}) {
		t.Fatalf("found %v", texts)
	}
}

func TestMethodsThatStreamDifferentlyDoNotMatch(t *testing.T) {
	host := parigottest.New(t)
	unary := parigot.Service{Name: feedService.Name, Methods: []parigot.Method{{Name: "Watch"}}}
	host.Serve(parigot.Export{Service: &unary, Handlers: []parigot.Handler{
		parigot.Handle(newText, (&shop{sell: echo}).wire),
	}})
	ctx := host.Client(parigot.Require(&feedService))
	_, err := readAll(mustLocateFeed(ctx).watch(ctx, say("")))
	if !errors.Is(err, parigot.Unimplemented) || parigot.FateOf(err) != parigot.FateRefused {
		t.Fatalf("found %v", err)
	}
}

func TestServiceStopsWhenItsStreamsHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := parigottest.New(t)
		desk := host.Serve((&feed{upload: countRequests}).export())
		ctx := host.Client(parigot.Require(&feedService))
		feed := mustLocateFeed(ctx)
		upload := feed.upload(ctx)
		if err := upload.Send(say("one")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		guest.MustOf(desk.Context()).Stop()
		synctest.Wait()
		_, err := readAll(feed.watch(ctx, say("")))
		checkError(t, err, "UNAVAILABLE: unreachable: the service is stopping")
		if response, err := upload.CloseAndRecv(); err != nil || response.Value != 1 {
			t.Fatalf("found %v, %v", response, err)
		}
		if status := desk.Wait(); status != 0 {
			t.Fatalf("the service exited with %d", status)
		}
	})
}
