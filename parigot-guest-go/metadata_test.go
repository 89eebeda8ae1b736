package parigot_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestResponseMetadataReachesTheCaller(t *testing.T) {
	ctx, shop := open(t, func(ctx context.Context, in *text) (*text, error) {
		parigot.SetHeader(ctx, "served-by", "a")
		parigot.SetHeader(ctx, "served-by", "b")
		parigot.SetHeaderBin(ctx, "token-bin", []byte{0, 1, 2, 0xff})
		parigot.SetTrailer(ctx, "cost", in.Value)
		parigot.SetTrailerBin(ctx, "digest-bin", nil)
		// Entries that the guest may not set.
		parigot.SetHeader(ctx, "Parigot-Caller", "forged")
		parigot.SetTrailerBin(ctx, "digest", nil)
		switch in.Value {
		case "cake":
			return nil, soldOut
		case "pie":
			return nil, parigot.NotFound
		}
		return in, nil
	})
	for order, want := range map[string]string{
		"bread": "bread", "cake": "SoldOut", "pie": "NOT_FOUND",
	} {
		var metadata parigot.ResponseMetadata
		asking := parigot.WithResponseMetadata(ctx, &metadata)
		check(t, ctx, shop.sell(asking, say(order)), want)
		servedBy := metadata.Headers.GetAll("served-by")
		token, ok := metadata.Headers.GetBin("token-bin")
		if !slices.Equal(servedBy, []string{"a", "b"}) || !ok || len(metadata.Headers) != 3 {
			t.Errorf("%s: found headers %v", order, metadata.Headers)
		}
		if !slices.Equal(token, []byte{0, 1, 2, 0xff}) {
			t.Errorf("%s: found token %v", order, token)
		}
		cost, _ := metadata.Trailers.Get("cost")
		digest, ok := metadata.Trailers.GetBin("digest-bin")
		if cost != order || !ok || len(digest) != 0 || len(metadata.Trailers) != 2 {
			t.Errorf("%s: found trailers %v", order, metadata.Trailers)
		}
		if _, ok := metadata.Trailers.Get("size"); ok {
			t.Error("an absent key must have no value")
		}
		// A call that does not ask for metadata completes, too.
		check(t, ctx, shop.sell(ctx, say(order)), want)
	}
}

func TestResponseMetadataOfADynamicCall(t *testing.T) {
	host := parigottest.New(t)
	host.Serve((&shop{sell: func(ctx context.Context, in *text) (*text, error) {
		parigot.SetHeader(ctx, "served-by", "a")
		return in, nil
	}}).export())
	ctx := host.Client(parigot.RequireDynamic("shop.v1.Shop"))
	shop, err := parigot.LocateDynamic(ctx, "shop.v1.Shop")
	if err != nil {
		t.Fatal(err)
	}
	bread, _ := proto.Marshal(say("bread"))
	var metadata parigot.ResponseMetadata
	asking := parigot.WithResponseMetadata(ctx, &metadata)
	if _, err := shop.Call(asking, "Sell", bread).Await(ctx); err != nil {
		t.Fatal(err)
	}
	if found, _ := metadata.Headers.Get("served-by"); found != "a" {
		t.Fatalf("found %v", metadata)
	}
}

func TestBinaryMetadataReachesTheHandler(t *testing.T) {
	ctx, shop := open(t, func(ctx context.Context, _ *text) (*text, error) {
		token, ok := parigot.MetadataBin(ctx, "token-bin")
		_, isForged := parigot.Metadata(ctx, "parigot-user")
		_, isAbsent := parigot.MetadataBin(ctx, "other-bin")
		if !ok || isForged || isAbsent || !slices.Equal(token, []byte{0xff, 0}) {
			return nil, soldOut
		}
		return say("bread"), nil
	})
	with := parigot.WithMetadataBin(ctx, "token-bin", []byte{0xff, 0})
	with = parigot.WithMetadata(with, "parigot-user", "root")
	with = parigot.WithMetadataBin(with, "token", nil)
	check(t, ctx, shop.sell(with, say("bread")), "bread")
	padded := parigot.WithMetadata(ctx, "token-bin", "/wA=")
	check(t, ctx, shop.sell(padded, say("bread")), "bread")
	broken := parigot.WithMetadata(ctx, "token-bin", "no base64")
	check(t, ctx, shop.sell(broken, say("bread")), "SoldOut")
}

func TestHandlerReadsAllMetadata(t *testing.T) {
	var found parigot.MetadataEntries
	ctx, shop := open(t, func(ctx context.Context, in *text) (*text, error) {
		found = parigot.MetadataOf(ctx)
		return in, nil
	})
	with := parigot.WithMetadata(ctx, "colour", "red")
	with = parigot.WithMetadata(with, "size", "")
	with = parigot.WithMetadata(with, "colour", "blue")
	check(t, ctx, shop.sell(with, say("bread")), "bread")
	want := parigot.MetadataEntries{{"colour", "red"}, {"size", ""}, {"colour", "blue"}}
	if !slices.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
	if found := parigot.MetadataOf(ctx); found != nil {
		t.Errorf("found %v outside of a handler", found)
	}
}

func TestDynamicCallKeepsMetadataAndDetailsOfAFailure(t *testing.T) {
	pause := durationpb.New(3 * time.Second)
	host := parigottest.New(t)
	host.Serve((&shop{sell: func(ctx context.Context, _ *text) (*text, error) {
		parigot.SetHeader(ctx, "served-by", "a")
		parigot.SetTrailer(ctx, "cost", "7")
		return nil, parigot.WithDetail(parigot.WithMessage(soldOut, "later"), pause)
	}}).export())
	ctx := host.Client(parigot.RequireDynamic("shop.v1.Shop"))
	shop, err := parigot.LocateDynamic(ctx, "shop.v1.Shop")
	if err != nil {
		t.Fatal(err)
	}
	var metadata parigot.ResponseMetadata
	asking := parigot.WithResponseMetadata(ctx, &metadata)
	_, err = shop.Call(asking, "Sell", nil).Await(ctx)
	own, isOwn := errors.AsType[parigot.ErrorNumber](err)
	details := parigot.DetailsOf[*durationpb.Duration](err)
	if !isOwn || own != 4 || parigot.MessageOf(err) != "later" || len(details) != 1 {
		t.Errorf("found %v with details %v", err, details)
	}
	served, _ := metadata.Headers.Get("served-by")
	cost, _ := metadata.Trailers.Get("cost")
	if served != "a" || cost != "7" {
		t.Errorf("found %v", metadata)
	}
}

func TestReservedKeyIsLogged(t *testing.T) {
	var sent lines
	ctx := guest.NewContext(t.Context(), guest.New(&sent, time.Now()))
	if parigot.WithMetadata(ctx, "parigot-user", "root") != ctx {
		t.Fatal("a reserved key must be dropped")
	}
	want := "metadata key \"parigot-user\" dropped: " +
		"only the host sets keys that begin with parigot-"
	if len(sent.seen) != 1 || sent.seen[0] != (line{abi.LevelWarn, abi.NoCall, want}) {
		t.Fatalf("found %v", sent.seen)
	}
	if found := parigot.WithMetadata(t.Context(), "PARIGOT-user", "root"); found != t.Context() {
		t.Fatal("a reserved key must be dropped outside of a guest, too")
	}
}

func TestServiceIsRequiredUnderSeveralNames(t *testing.T) {
	host := parigottest.New(t)
	for _, name := range []string{"first", "second"} {
		host.Bind(name, host.Serve((&shop{sell: func(context.Context, *text) (*text, error) {
			return say(name), nil
		}}).export()))
	}
	ctx := host.Client(
		requireShop().As("second"),
		requireShop().As("unbound"),
		parigot.RequireDynamic("shop.v1.Shop").As("first"),
	)
	for binding, want := range map[string]string{"second": "second", "unbound": "first"} {
		channel, err := parigot.LocateNamed(ctx, &shopService, binding)
		if err != nil {
			t.Fatal(err)
		}
		check(t, ctx, shopClient{channel}.sell(ctx, say("bread")), want)
	}
	dynamic, err := parigot.LocateDynamicNamed(ctx, "shop.v1.Shop", "first")
	if err != nil || !slices.Equal(dynamic.Methods(), []string{"Sell"}) {
		t.Fatalf("found %v", err)
	}
	response, err := dynamic.Call(ctx, "Sell", nil).Await(ctx)
	if err != nil || !strings.HasSuffix(string(response), "first") {
		t.Fatalf("found %q, %v", response, err)
	}
	_, err = parigot.LocateNamed(ctx, &shopService, "third")
	const want = `shop.v1.Shop is not required as "third", but as "second", or as "unbound", ` +
		`or as "first": call the function Locate…Named with "second", or pass the result of its ` +
		`generated Require function with As("third") to Launch or Run`
	if err == nil || err.Error() != want {
		t.Fatalf("found %v, want %s", err, want)
	}
	_, err = parigot.Locate(ctx, &shopService)
	const unnamed = `shop.v1.Shop is not required without a name, but as "second", `
	if err == nil || !strings.HasPrefix(err.Error(), unnamed) {
		t.Fatalf("found %v, want %s", err, unnamed)
	}
	ctx = host.Client(requireShop())
	_, err = parigot.LocateDynamicNamed(ctx, "shop.v1.Shop", "first")
	const named = `shop.v1.Shop is not required as "first", but without a name: ` +
		`call the function Locate… without a name, or hand `
	if err == nil || !strings.HasPrefix(err.Error(), named) {
		t.Fatalf("found %v, want %s", err, named)
	}
}
