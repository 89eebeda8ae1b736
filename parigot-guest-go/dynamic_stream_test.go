package parigot_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"
	"google.golang.org/protobuf/proto"
)

// openClient opens a dynamic client.
type openClient func() (context.Context, *parigot.DynamicClient)

// openDynamic serves a feed, and returns dynamic clients of it.
func openDynamic(t *testing.T, f *feed) map[string]openClient {
	t.Helper()
	host := parigottest.New(t)
	host.Serve(f.export())
	locate := func(requires parigot.Requirement) openClient {
		return func() (context.Context, *parigot.DynamicClient) {
			ctx := host.Client(requires)
			client, err := parigot.LocateDynamic(ctx, feedService.Name)
			if err != nil {
				t.Fatal(err)
			}
			return ctx, client
		}
	}
	return map[string]openClient{
		"required by name":       locate(parigot.RequireDynamic(feedService.Name)),
		"required by its client": locate(parigot.Require(&feedService)),
	}
}

func wire(t *testing.T, message proto.Message) []byte {
	t.Helper()
	bytes, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestDynamicClientStreams(t *testing.T) {
	for name, open := range openDynamic(t, &feed{
		watch: sendNumbers, upload: countRequests, chat: echoRequests,
	}) {
		t.Run(name, func(t *testing.T) {
			ctx, feed := open()
			number := 0
			for item, err := range feed.ServerStream(ctx, "Watch", wire(t, say("9"))).All() {
				if err != nil || string(item) != string(wire(t, say(fmt.Sprint(number)))) {
					t.Fatalf("found %q, %v", item, err)
				}
				number++
			}
			upload, chat := feed.ClientStream(ctx, "Upload"), feed.BidiStream(ctx, "Chat")
			note := wire(t, say("note"))
			for range number {
				if err := errors.Join(upload.Send(nil), chat.Send(note)); err != nil {
					t.Fatal(err)
				}
				if item, err := chat.Recv(); err != nil || string(item) != string(note) {
					t.Fatalf("found %q, %v", item, err)
				}
			}
			found := new(count)
			response, err := upload.CloseAndRecv()
			err = errors.Join(err, proto.Unmarshal(response, found))
			if err != nil || found.Value != 9 {
				t.Fatalf("found %v, %v", found, err)
			}
			chat.CloseSend()
			if _, err := chat.Recv(); err != io.EOF {
				t.Fatalf("found %v", err)
			}
		})
	}
}

func TestDynamicClientKnowsWhichSidesStream(t *testing.T) {
	for name, open := range openDynamic(t, &feed{}) {
		t.Run(name, func(t *testing.T) {
			ctx, feed := open()
			_, unary := feed.Call(ctx, "Watch", nil).Await(ctx)
			_, server := feed.ServerStream(ctx, "Upload", nil).Recv()
			_, client := feed.ClientStream(ctx, "Chat").CloseAndRecv()
			bidi := feed.BidiStream(ctx, "Watch").Send(nil)
			const text = "UNIMPLEMENTED: no such method: " +
				"feed.v1.Feed/%s streams in other directions"
			checkError(t, unary, fmt.Sprintf(text, "Watch"))
			checkError(t, server, fmt.Sprintf(text, "Upload"))
			checkError(t, client, fmt.Sprintf(text, "Chat"))
			checkError(t, bidi, fmt.Sprintf(text, "Watch"))
			_, err := feed.ServerStream(ctx, "Steal", nil).Recv()
			checkError(t, err, "UNIMPLEMENTED: no such method: feed.v1.Feed has no method Steal")
		})
	}
}
