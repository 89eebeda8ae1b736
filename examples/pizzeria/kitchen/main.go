// Kitchen is the kitchen service: it takes from the pantry what a pizza needs, and bakes it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/future"

	pb "example.com/pizzeria/stubs/go/kitchen/v1"
	pantryv1 "example.com/pizzeria/stubs/go/pantry/v1"
)

const bakingTime = 200 * time.Millisecond

// menu has the ingredients of each pizza.
var menu = map[string][]string{
	"margherita": {"dough", "tomato", "mozzarella"},
	"tartufo":    {"dough", "mozzarella", "truffle"},
}

type kitchen struct {
	pantry pantryv1.PantryClient

	mu      sync.Mutex
	readyAt map[[2]uint64]time.Time // by the key of the ticket
}

func newKitchen() *kitchen { return &kitchen{readyAt: map[[2]uint64]time.Time{}} }

// Ready is called once, when the pantry is ready and before the first order.
func (k *kitchen) Ready(ctx context.Context) *future.Base[bool] {
	k.pantry = pantryv1.MustLocatePantry(ctx)
	return future.NewBaseWithValue(true)
}

// Order is the method on the wire.
func (k *kitchen) Order(ctx context.Context, in *pb.OrderRequest) *pb.KitchenOrderFuture {
	return pb.KitchenOrderDone(k.order(ctx, in.GetPizza()))
}

// order returns a ticket as soon as the ingredients are there. The deadline of ctx, which is the order's, is that of the call to the pantry too.
func (k *kitchen) order(ctx context.Context, pizza string) (*pb.Ticket, error) {
	ingredients, ok := menu[pizza]
	if !ok {
		return nil, pb.KitchenErr_NotOnMenu
	}
	_, err := k.pantry.Take(ctx, &pantryv1.TakeRequest{Ingredients: ingredients}).Await(ctx)
	if errors.Is(err, pantryv1.PantryErr_SoldOut) {
		return nil, pb.KitchenErr_SoldOut
	}
	if err != nil {
		return nil, fmt.Errorf("nothing from the pantry: %w", err)
	}
	ticket := NewTicketID()
	k.bake(ticket)
	slog.InfoContext(ctx, "in the oven", "pizza", pizza, "ticket", ticket)
	high, low := ticket.Wire()
	return &pb.Ticket{High: high, Low: low}, nil
}

// Check is the method on the wire.
func (k *kitchen) Check(_ context.Context, in *pb.Ticket) *pb.KitchenCheckFuture {
	return pb.KitchenCheckDone(k.check(in))
}

func (k *kitchen) check(in *pb.Ticket) (*pb.Progress, error) {
	ticket, err := TicketIDFromWire(in.GetHigh(), in.GetLow())
	if err != nil {
		return nil, pb.KitchenErr_UnknownTicket
	}
	k.mu.Lock()
	readyAt, ok := k.readyAt[ticket.Key()]
	k.mu.Unlock()
	switch {
	case !ok:
		return nil, pb.KitchenErr_UnknownTicket
	case time.Now().Before(readyAt):
		return &pb.Progress{Stage: pb.Stage_Baking}, nil
	}
	return &pb.Progress{Stage: pb.Stage_Ready}, nil
}

func (k *kitchen) bake(ticket TicketID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.readyAt[ticket.Key()] = time.Now().Add(bakingTime)
}

func main() { pb.RunKitchen(context.Background(), newKitchen(), pantryv1.RequirePantry()) }
