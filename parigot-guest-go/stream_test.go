package parigot_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// sendNumbers sends the numbers below the count in the request.
func sendNumbers(_ context.Context, in *text, out sender) error {
	var most int
	if _, err := fmt.Sscan(in.Value, &most); err != nil {
		return err
	}
	for number := range most {
		if err := out.Send(say(fmt.Sprint(number))); err != nil {
			return err
		}
	}
	return nil
}

// countRequests counts the requests, and returns the error of an incomplete stream.
func countRequests(_ context.Context, in receiver) (*count, error) {
	var found uint32
	for _, err := range in.All() {
		if err != nil {
			return nil, err
		}
		found++
	}
	return wrapperspb.UInt32(found), nil
}

// echoRequests returns each request.
func echoRequests(_ context.Context, in receiver, out sender) error {
	for message, err := range in.All() {
		if err != nil {
			return err
		}
		if err := out.Send(message); err != nil {
			return err
		}
	}
	return nil
}

// readAll returns the texts of all messages, and the error of an incomplete stream.
func readAll(in receiver) (texts []string, err error) {
	for message, err := range in.All() {
		if err != nil {
			return texts, err
		}
		texts = append(texts, message.Value)
	}
	return texts, nil
}

// checkError compares the text of an error, without the method and the random ids.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("found no error, want %q", want)
	}
	if found, _, _ := strings.Cut(err.Error(), " (feed.v1.Feed/"); found != want {
		t.Fatalf("found %q, want %q", found, want)
	}
}

func TestResponsesArriveInOrder(t *testing.T) {
	ctx, feed := openWatch(t, func(ctx context.Context, in *text, out sender) error {
		parigot.SetHeader(ctx, "served-by", "desk")
		parigot.SetTrailer(ctx, "cost", "1")
		return sendNumbers(ctx, in, out)
	})
	for _, most := range []int{0, 1, 4, 5, 2_000} {
		var metadata parigot.ResponseMetadata
		asking := parigot.WithResponseMetadata(ctx, &metadata)
		numbers := feed.watch(asking, say(fmt.Sprint(most)))
		texts, err := readAll(numbers)
		if err != nil || len(texts) != most {
			t.Fatalf("found %d of %d messages, %v", len(texts), most, err)
		}
		for number, text := range texts {
			if text != fmt.Sprint(number) {
				t.Fatalf("message %d is %q", number, text)
			}
		}
		servedBy, _ := metadata.Headers.Get("served-by")
		cost, _ := metadata.Trailers.Get("cost")
		if servedBy != "desk" || cost != "1" {
			t.Fatalf("found %v", metadata)
		}
		if _, err := numbers.Recv(); err != io.EOF {
			t.Fatalf("the end does not stay: %v", err)
		}
	}
}

func TestFailureFollowsTheResponsesAndStays(t *testing.T) {
	ctx, feed := openWatch(t, func(ctx context.Context, in *text, out sender) error {
		if err := out.Send(say("one")); err != nil {
			return err
		}
		return fmt.Errorf("no more: %w", soldOut)
	})
	items := feed.watch(ctx, say(""))
	item, err := items.Recv()
	if err != nil || item.Value != "one" {
		t.Fatalf("found %v, %v", item, err)
	}
	for range 2 {
		texts, err := readAll(items)
		own, isOwn := errors.AsType[shopErr](err)
		if len(texts) != 0 || !isOwn || own != soldOut || parigot.MessageOf(err) != "no more" {
			t.Fatalf("found %v, %v", texts, err)
		}
	}
}

func TestLeavingAStreamEarlyCancelsTheCall(t *testing.T) {
	for name, leave := range map[string]func(context.CancelFunc, responseStream){
		"break": func(_ context.CancelFunc, items responseStream) {
			for range items.All() {
				break
			}
		},
		"panic": func(_ context.CancelFunc, items responseStream) {
			defer func() { _ = recover() }()
			for range items.All() {
				panic("leave")
			}
		},
		"Cancel":  func(_ context.CancelFunc, items responseStream) { items.Cancel() },
		"context": func(cancel context.CancelFunc, _ responseStream) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			atCallee := make(chan error, 1)
			serve := func(ctx context.Context, _ *text, out sender) error {
				for {
					if err := out.Send(say("more")); err != nil {
						atCallee <- errors.Join(err, ctx.Err())
						return err
					}
				}
			}
			ctx, feed := openFeed(t, &feed{watch: serve})
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			items := feed.watch(ctx, say(""))
			if _, err := items.Recv(); err != nil {
				t.Fatal(err)
			}
			leave(cancel, items)
			err := <-atCallee
			checkError(t, err, "CANCELLED: the caller has cancelled the call\ncontext canceled")
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("found %v", err)
			}
			_, err = items.Recv()
			checkError(t, err, "CANCELLED: cancelled: the caller cancelled the call")
		})
	}
}

func TestUndecodableMessageFailsTheStream(t *testing.T) {
	type raw = wrapperspb.BytesValue
	notUTF8 := wrapperspb.Bytes([]byte{0xff})
	newRaw := func() *raw { return new(raw) }
	ended := make(chan error, 1)
	host := parigottest.New(t)
	host.Serve(parigot.Export{Service: &feedService, Handlers: []parigot.Handler{
		parigot.HandleServerStream[*raw, *raw, shopErr](newRaw,
			func(ctx context.Context, _ *raw, out parigot.Sender[*raw]) error {
				err := out.Send(notUTF8)
				<-ctx.Done()
				ended <- ctx.Err()
				return err
			}),
		parigot.HandleClientStream[*text, *count, shopErr](newText, countRequests),
	}})
	ctx := host.Client(parigot.Require(&feedService))
	items := mustLocateFeed(ctx).watch(ctx, say(""))
	for range 2 {
		_, err := items.Recv()
		const text = "INTERNAL: answer lost: a response of the stream cannot be decoded: "
		if err == nil || !strings.HasPrefix(err.Error(), text) {
			t.Fatalf("found %v", err)
		}
		if fate := parigot.FateOf(err); fate != parigot.FateUnknown {
			t.Fatalf("the fate is %v", fate)
		}
	}
	if err := <-ended; err != context.Canceled {
		t.Fatalf("the handler ended with %v", err)
	}
	channel, err := parigot.Locate(ctx, &feedService)
	if err != nil {
		t.Fatal(err)
	}
	upload := parigot.CallClientStream[*raw, *count, shopErr](ctx, channel, 1,
		func() *count { return new(count) })
	_ = upload.Send(notUTF8)
	_, err = upload.CloseAndRecv()
	const text = "INVALID_ARGUMENT: a request of the stream cannot be decoded: "
	if err == nil || !strings.HasPrefix(err.Error(), text) {
		t.Fatalf("found %v", err)
	}
}

func TestSenderWaitsForTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := make(chan struct{})
		ctx, feed := openUpload(t, func(ctx context.Context, in receiver) (*count, error) {
			<-read
			return countRequests(ctx, in)
		})
		upload := feed.upload(ctx)
		sent := 0
		sending := make(chan error, 1)
		go func() {
			for range 100 {
				if err := upload.Send(say("request")); err != nil {
					sending <- err
					return
				}
				sent++
			}
			sending <- nil
		}()
		synctest.Wait()
		if sent != 4 {
			t.Fatalf("%d requests were sent before the handler has read one", sent)
		}
		close(read)
		if err := <-sending; err != nil {
			t.Fatal(err)
		}
		if response, err := upload.CloseAndRecv(); err != nil || response.Value != 100 {
			t.Fatalf("found %v, %v", response, err)
		}
	})
}

func TestRequestsThatBreakOffDoNotLookComplete(t *testing.T) {
	for name, leave := range map[string]func(context.CancelFunc, clientStream){
		"Cancel":  func(_ context.CancelFunc, upload clientStream) { upload.Cancel() },
		"context": func(cancel context.CancelFunc, _ clientStream) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			began, atCallee := make(chan struct{}), make(chan error, 1)
			serve := func(ctx context.Context, in receiver) (*count, error) {
				close(began)
				found, err := countRequests(ctx, in)
				if err == nil {
					err = fmt.Errorf("%d requests look complete", found.Value)
				}
				atCallee <- err
				_, again := in.Recv()
				checkError(t, again, err.Error())
				return found, err
			}
			ctx, feed := openFeed(t, &feed{upload: serve})
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			upload := feed.upload(ctx)
			if err := upload.Send(say("one")); err != nil {
				t.Fatal(err)
			}
			<-began
			leave(cancel, upload)
			checkError(t, <-atCallee, "CANCELLED: the caller has cancelled the call")
			const text = "CANCELLED: cancelled: the caller cancelled the call"
			checkError(t, upload.Send(say("two")), text)
			_, err := upload.CloseAndRecv()
			checkError(t, err, text)
		})
	}
}

func TestEarlyReplyEndsTheRequests(t *testing.T) {
	for want, reply := range map[string]error{"EOF": nil, "SoldOut": soldOut} {
		ctx, feed := openUpload(t, func(_ context.Context, in receiver) (*count, error) {
			_, err := in.Recv()
			return wrapperspb.UInt32(7), cmp.Or(err, reply)
		})
		upload := feed.upload(ctx)
		var err error
		for err == nil {
			err = upload.Send(say("more"))
		}
		checkError(t, err, want)
		response, err := upload.CloseAndRecv()
		if !errors.Is(err, reply) || reply == nil && response.GetValue() != 7 {
			t.Fatalf("found %v, %v", response, err)
		}
	}
}

func TestMessageThatCannotBeSentFailsTheCall(t *testing.T) {
	huge, notUTF8 := say(strings.Repeat("x", 16<<20)), say("not \xff UTF-8")
	const tooLong = " of 16777221 bytes exceeds the limit of 16777216"
	for _, c := range []struct {
		message           *text
		request, response string
	}{
		{
			huge, "RESOURCE_EXHAUSTED: cancelled: request" + tooLong,
			"RESOURCE_EXHAUSTED: answer lost: response" + tooLong,
		}, {
			notUTF8, "INVALID_ARGUMENT: cancelled: the request cannot be sent: " +
				"string field contains invalid UTF-8",
			"INTERNAL: answer lost: the response cannot be sent: " +
				"string field contains invalid UTF-8",
		},
	} {
		ctx, feed := openFeed(t, &feed{
			watch: func(_ context.Context, _ *text, out sender) error {
				checkError(t, out.Send(c.message), c.response)
				checkError(t, out.Send(say("small")), c.response)
				return nil // must not make the stream look complete
			},
			upload: countRequests,
		})
		_, err := readAll(feed.watch(ctx, say("")))
		checkError(t, err, c.response)
		upload := feed.upload(ctx)
		if err := upload.Send(say("small")); err != nil {
			t.Fatal(err)
		}
		checkError(t, upload.Send(c.message), c.request)
		checkError(t, upload.Send(say("small")), c.request)
		_, err = upload.CloseAndRecv()
		checkError(t, err, c.request)
		if fate := parigot.FateOf(err); fate != parigot.FateUnknown {
			t.Fatalf("the handler has begun, and the fate is %v", fate)
		}
	}
	ctx, feed := openFeed(t, &feed{watch: sendNumbers})
	_, err := readAll(feed.watch(ctx, huge))
	checkError(t, err, "RESOURCE_EXHAUSTED: too large: request"+tooLong)
}

func TestBothDirectionsStreamAtOnce(t *testing.T) {
	ctx, feed := openChat(t, func(_ context.Context, in receiver, out sender) error {
		for message, err := range in.All() {
			if err != nil {
				return err
			}
			if err := out.Send(message); err != nil {
				return err
			}
		}
		return out.Send(say("end"))
	})
	chat := feed.chat(ctx)
	defer chat.Cancel()
	go func() {
		for number := range 1_000 {
			_ = chat.Send(say(fmt.Sprint(number)))
		}
		chat.CloseSend()
	}()
	texts, err := readAll(chat)
	if err != nil || len(texts) != 1_001 || texts[999] != "999" || texts[1_000] != "end" {
		t.Fatalf("found %d messages, %v", len(texts), err)
	}
	if err := chat.Send(say("late")); err != io.EOF {
		t.Fatalf("found %v", err)
	}
}

func TestSendFailsAfterTheEndOfTheRequests(t *testing.T) {
	ctx, feed := openChat(t, func(ctx context.Context, _ receiver, _ sender) error {
		<-ctx.Done()
		return ctx.Err()
	})
	chat := feed.chat(ctx)
	defer chat.Cancel()
	chat.CloseSend()
	chat.CloseSend() // a second end is not sent
	checkError(t, chat.Send(say("late")), "parigot: Send called after the end of the requests")
}
