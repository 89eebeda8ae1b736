package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/idpb"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"

	catalogv1 "example.com/shop/stubs/go/catalog/v1"
	pb "example.com/shop/stubs/go/stock/v1"
)

// fakeCatalog is a catalog whose method FetchItem calls the function.
type fakeCatalog struct {
	parigot.ReadyAtOnce
	fetch func(ctx context.Context, name string) (*catalogv1.Item, error)
}

func (f fakeCatalog) FetchItem(
	ctx context.Context, in *catalogv1.FetchItemRequest,
) *catalogv1.CatalogFetchItemFuture {
	return catalogv1.CatalogFetchItemDone(f.fetch(ctx, in.GetItem()))
}

func (f fakeCatalog) ListItems(
	context.Context, *catalogv1.ListItemsRequest,
) *catalogv1.CatalogListItemsFuture {
	return catalogv1.CatalogListItemsDone(nil, parigot.Unimplemented)
}

// coffee sells coffee for 9.50, as of November.
func coffee(ctx context.Context, name string) (*catalogv1.Item, error) {
	parigot.SetHeader(ctx, priceList, "november")
	return &catalogv1.Item{Name: name, PriceCents: 950}, nil
}

// open returns a client of a stock of ten coffees, which has that catalog.
func open(
	t *testing.T, fetch func(context.Context, string) (*catalogv1.Item, error),
) (context.Context, pb.StockClient) {
	host := parigottest.New(t)
	host.Serve(catalogv1.ExportCatalog(fakeCatalog{fetch: fetch}))
	host.Serve(pb.ExportStock(&stock{args: []string{"coffee=10"}}), catalogv1.RequireCatalog())
	ctx := host.Client(pb.RequireStock())
	return ctx, pb.MustLocateStock(ctx)
}

// coffees returns a request of a new order.
func coffees(count uint32) *pb.ReserveRequest {
	return &pb.ReserveRequest{Order: idpb.New(NewOrderID()), Item: "coffee", Count: count}
}

func TestRepeatedOrderIsReservedOnce(t *testing.T) {
	ctx, client := open(t, coffee)
	request := coffees(4)
	for range 2 {
		reservation, err := client.Reserve(ctx, request).Await(ctx)
		if err != nil || reservation.GetTotalCents() != 3800 {
			t.Fatalf("found %v, %v", reservation, err)
		}
	}
	levels, err := client.ListLevels(ctx, &pb.ListLevelsRequest{}).Await(ctx)
	if err != nil || levels.GetLevels()[0].GetCount() != 6 {
		t.Fatalf("found %v, %v", levels, err)
	}
}

func TestVersionOfThePricesReachesTheCaller(t *testing.T) {
	ctx, client := open(t, coffee)
	var metadata parigot.ResponseMetadata
	call := client.Reserve(parigot.WithResponseMetadata(ctx, &metadata), coffees(1))
	if _, err := call.Await(ctx); err != nil {
		t.Fatal(err)
	}
	if version, _ := metadata.Trailers.Get(priceList); version != "november" {
		t.Fatalf("found %q", version)
	}
}

func TestShortageIsADetail(t *testing.T) {
	ctx, client := open(t, coffee)
	_, err := client.Reserve(ctx, coffees(12)).Await(ctx)
	if !errors.Is(err, pb.StockErr_SoldOut) {
		t.Fatalf("found %v", err)
	}
	shortages := parigot.DetailsOf[*pb.Shortage](err)
	if len(shortages) != 1 || shortages[0].GetAvailable() != 10 {
		t.Fatalf("found %v", shortages)
	}
}

func TestErrorsOfTheCatalogAreTranslated(t *testing.T) {
	unknown := parigot.WithMessage(catalogv1.CatalogErr_UnknownItem, "no such item")
	discontinued := parigot.WithMessage(catalogv1.CatalogErr_Discontinued, "it is discontinued")
	replaced := parigot.WithDetail(discontinued, &catalogv1.Replacement{Item: "tea"})
	for _, c := range []struct {
		err  error
		want string
	}{
		{unknown, "no such item"},
		{discontinued, "it is discontinued"},
		{replaced, "it is discontinued, order tea instead"},
	} {
		ctx, client := open(t, func(context.Context, string) (*catalogv1.Item, error) {
			return nil, c.err
		})
		_, err := client.Reserve(ctx, coffees(1)).Await(ctx)
		if !errors.Is(err, pb.StockErr_NotForSale) || parigot.MessageOf(err) != c.want {
			t.Errorf("found %v, want %s", err, c.want)
		}
	}
}

// ANCHOR: time
func TestSilentCatalogEndsTheCallAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, client := open(t, func(ctx context.Context, _ string) (*catalogv1.Item, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		ctx, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		_, err := client.Reserve(ctx, coffees(1)).Await(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("found %v", err)
		}
	})
}

// ANCHOR_END: time

func TestOnlyLowItemsAreFilled(t *testing.T) {
	ctx, client := open(t, coffee)
	for _, c := range []struct{ below, filled int }{{10, 0}, {11, 1}} {
		request := &pb.RefillRequest{Below: uint32(c.below), UpTo: 20}
		response, err := client.Refill(ctx, request).Await(ctx)
		if err != nil || len(response.GetFilled()) != c.filled {
			t.Errorf("below %d: found %v, %v", c.below, response, err)
		}
	}
}

func TestInvalidStockIsRefused(t *testing.T) {
	for _, arg := range []string{"coffee", "coffee=many", "coffee=-1"} {
		if _, err := parseLevels([]string{arg}); err == nil {
			t.Errorf("%s is accepted", arg)
		}
	}
}
