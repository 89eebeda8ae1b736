package parigot_test

import (
	"context"
	"testing"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The declarations below imitate the generated code for this service, which the tests implement.
// Its error enum is that of the shop.
//
//	service Feed {
//	  rpc Watch(StringValue) returns (stream StringValue);
//	  rpc Upload(stream StringValue) returns (UInt32Value);
//	  rpc Chat(stream StringValue) returns (stream StringValue);
//	}
type (
	count    = wrapperspb.UInt32Value
	sender   = parigot.Sender[*text]
	receiver = parigot.Receiver[*text]
	feed     struct {
		watch  func(context.Context, *text, sender) error
		upload func(context.Context, receiver) (*count, error)
		chat   func(context.Context, receiver, sender) error
	}
	feedClient struct{ channel *parigot.Channel }

	responseStream = parigot.ResponseStream[*text]
	clientStream   = parigot.ClientStream[*text, *count]
)

var feedService = parigot.Service{Name: "feed.v1.Feed", Methods: []parigot.Method{
	{Name: "Watch", StreamsResponses: true},
	{Name: "Upload", StreamsRequests: true},
	{Name: "Chat", StreamsRequests: true, StreamsResponses: true},
}}

func (f *feed) export() parigot.Export {
	return parigot.Export{Service: &feedService, Handlers: []parigot.Handler{
		parigot.HandleServerStream[*text, *text, shopErr](newText, f.watch),
		parigot.HandleClientStream[*text, *count, shopErr](newText, f.upload),
		parigot.HandleBidiStream[*text, *text, shopErr](newText, f.chat),
	}}
}

func mustLocateFeed(ctx context.Context) feedClient {
	channel, err := parigot.Locate(ctx, &feedService)
	if err != nil {
		panic(err)
	}
	return feedClient{channel}
}

func (c feedClient) watch(ctx context.Context, in *text) responseStream {
	return parigot.CallServerStream[*text, shopErr](ctx, c.channel, 0, in, newText)
}

func (c feedClient) upload(ctx context.Context) clientStream {
	newCount := func() *count { return new(count) }
	return parigot.CallClientStream[*text, *count, shopErr](ctx, c.channel, 1, newCount)
}

func (c feedClient) chat(ctx context.Context) parigot.BidiStream[*text, *text] {
	return parigot.CallBidiStream[*text, *text, shopErr](ctx, c.channel, 2, newText)
}

// openFeed serves a feed and returns a client of it.
func openFeed(t *testing.T, f *feed) (context.Context, feedClient) {
	t.Helper()
	host := parigottest.New(t)
	host.Serve(f.export())
	ctx := host.Client(parigot.Require(&feedService))
	return ctx, mustLocateFeed(ctx)
}

func openWatch(
	t *testing.T, watch func(context.Context, *text, sender) error,
) (context.Context, feedClient) {
	return openFeed(t, &feed{watch: watch})
}

func openUpload(
	t *testing.T, upload func(context.Context, receiver) (*count, error),
) (context.Context, feedClient) {
	return openFeed(t, &feed{upload: upload})
}

func openChat(
	t *testing.T, chat func(context.Context, receiver, sender) error,
) (context.Context, feedClient) {
	return openFeed(t, &feed{chat: chat})
}
