package parigot_test

import (
	"context"
	"fmt"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The declarations below imitate the generated code for this service, which the tests implement:
//
//	service Shop { rpc Sell(StringValue) returns (StringValue); }
//	enum ShopErr { NoError = 0; SoldOut = 4; }
type (
	text     = wrapperspb.StringValue
	sale     = future.Method[*text, shopErr]
	shopErr  int32
	sellFunc func(context.Context, *text) (*text, error)
	shop     struct {
		sell  sellFunc
		ready *future.Base[bool]
	}
	shopClient struct{ channel *parigot.Channel }
)

const soldOut shopErr = 4

func (e shopErr) Error() string {
	if e == soldOut {
		return "SoldOut"
	}
	return fmt.Sprint(int32(e))
}

var shopService = parigot.Service{Name: "shop.v1.Shop", Methods: []parigot.Method{{Name: "Sell"}}}

func (s *shop) export() parigot.Export {
	return parigot.Export{
		Service: &shopService,
		Ready: func(context.Context) *future.Base[bool] {
			if s.ready == nil {
				return future.NewBaseWithValue(true)
			}
			return s.ready
		},
		Handlers: []parigot.Handler{parigot.Handle(newText, s.wire)},
	}
}

func (s *shop) wire(ctx context.Context, in *text) *sale {
	return future.Done[*text, shopErr](s.sell(ctx, in))
}

func requireShop() parigot.Requirement { return parigot.Require(&shopService) }

func mustLocateShop(ctx context.Context) shopClient {
	channel, err := parigot.Locate(ctx, &shopService)
	if err != nil {
		panic(err)
	}
	return shopClient{channel}
}

func (c shopClient) sell(ctx context.Context, in *text) *sale {
	return parigot.Call[*text, shopErr](ctx, c.channel, 0, in, new(text))
}

func newText() *text { return new(text) }

func say(what string) *text { return wrapperspb.String(what) }

// echo returns the request.
func echo(_ context.Context, in *text) (*text, error) { return in, nil }
