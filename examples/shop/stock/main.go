// Stock is the stock service. The deployment sets the initial stock: args = ["coffee=10", "tea=2"].
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/idpb"

	catalogv1 "example.com/shop/stubs/go/catalog/v1"
	pb "example.com/shop/stubs/go/stock/v1"
)

// priceList is the key of the version of the prices, in the metadata of responses.
const priceList = "price-list"

type stock struct {
	args    []string
	catalog catalogv1.CatalogClient

	mu       sync.Mutex
	levels   map[string]uint32 // pieces by item
	reserved map[OrderID]*pb.Reservation
}

// Ready is called once, when the catalog is ready and before the first call.
func (s *stock) Ready(ctx context.Context) *future.Base[bool] {
	levels, err := parseLevels(s.args)
	if err != nil {
		return parigot.NotReady(ctx, err)
	}
	s.levels, s.reserved = levels, map[OrderID]*pb.Reservation{}
	s.catalog = catalogv1.MustLocateCatalog(ctx)
	return future.NewBaseWithValue(true)
}

// parseLevels parses the initial stock, coffee=10 per argument.
func parseLevels(args []string) (map[string]uint32, error) {
	levels := map[string]uint32{}
	for _, arg := range args {
		item, text, _ := strings.Cut(arg, "=")
		count, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("stock %q: expected an item and a count, as coffee=10", arg)
		}
		levels[item] = uint32(count)
	}
	return levels, nil
}

// Reserve implements the rpc.
func (s *stock) Reserve(ctx context.Context, in *pb.ReserveRequest) *pb.StockReserveFuture {
	return pb.StockReserveDone(s.reserve(ctx, in))
}

func (s *stock) reserve(ctx context.Context, in *pb.ReserveRequest) (*pb.Reservation, error) {
	order, err := idpb.As[orderID](in.GetOrder())
	if err != nil {
		return nil, parigot.WithMessage(parigot.InvalidArgument, err.Error())
	}
	item, err := s.fetchItem(ctx, in.GetItem())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if reservation, ok := s.reserved[order]; ok {
		return reservation, nil // a repeated call
	}
	available := s.levels[item.GetName()]
	if available < in.GetCount() {
		return nil, parigot.WithDetail(pb.StockErr_SoldOut, &pb.Shortage{Available: available})
	}
	s.levels[item.GetName()] = available - in.GetCount()
	reservation := &pb.Reservation{TotalCents: item.GetPriceCents() * in.GetCount()}
	s.reserved[order] = reservation
	return reservation, nil
}

// fetchItem returns an item of the catalog, and passes the version of the prices on to the caller.
// The call inherits the deadline of the caller from ctx.
func (s *stock) fetchItem(ctx context.Context, name string) (*catalogv1.Item, error) {
	var metadata parigot.ResponseMetadata
	request := &catalogv1.FetchItemRequest{Item: name}
	call := s.catalog.FetchItem(parigot.WithResponseMetadata(ctx, &metadata), request)
	item, err := call.Await(ctx)
	if err != nil {
		return nil, refusal(err)
	}
	if version, ok := metadata.Headers.Get(priceList); ok {
		parigot.SetTrailer(ctx, priceList, version)
	}
	return item, nil
}

// refusal translates an error of the catalog. Any other failure of the call is passed on.
func refusal(err error) error {
	message := parigot.MessageOf(err)
	switch {
	case errors.Is(err, catalogv1.CatalogErr_UnknownItem):
		return parigot.WithMessage(pb.StockErr_NotForSale, message)
	case errors.Is(err, catalogv1.CatalogErr_Discontinued):
		for _, replacement := range parigot.DetailsOf[*catalogv1.Replacement](err) {
			message += ", order " + replacement.GetItem() + " instead"
		}
		return parigot.WithMessage(pb.StockErr_NotForSale, message)
	}
	return fmt.Errorf("no price: %w", err)
}

// ListLevels implements the rpc.
func (s *stock) ListLevels(context.Context, *pb.ListLevelsRequest) *pb.StockListLevelsFuture {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &pb.ListLevelsResponse{}
	for _, item := range slices.Sorted(maps.Keys(s.levels)) {
		out.Levels = append(out.Levels, &pb.Level{Item: item, Count: s.levels[item]})
	}
	return pb.StockListLevelsDone(out, nil)
}

// Refill implements the rpc.
func (s *stock) Refill(_ context.Context, in *pb.RefillRequest) *pb.StockRefillFuture {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &pb.RefillResponse{}
	for _, item := range slices.Sorted(maps.Keys(s.levels)) {
		if s.levels[item] < in.GetBelow() {
			s.levels[item] = in.GetUpTo()
			out.Filled = append(out.Filled, &pb.Level{Item: item, Count: in.GetUpTo()})
		}
	}
	return pb.StockRefillDone(out, nil)
}

func main() {
	pb.RunStock(context.Background(), &stock{args: os.Args[1:]}, catalogv1.RequireCatalog())
}
