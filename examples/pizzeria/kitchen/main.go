// Kitchen is the kitchen service. It takes the ingredients of a pizza from the pantry, and bakes
// the pizza.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/idpb"
	"github.com/parigot/parigot/parigot-guest-go/job"

	pb "example.com/pizzeria/stubs/go/kitchen/v1"
	pantryv1 "example.com/pizzeria/stubs/go/pantry/v1"
)

const bakingTime = 200 * time.Millisecond

// menu maps each pizza to its ingredients.
var menu = map[string][]string{
	"margherita": {"dough", "tomato", "mozzarella"},
	"tartufo":    {"dough", "mozzarella", "truffle"},
}

type kitchen struct {
	pantry pantryv1.PantryClient
	orders *job.Jobs[TicketID, string] // the pizzas in the oven
}

func newKitchen() *kitchen { return &kitchen{orders: job.New[string](NewTicketID, job.Config{})} }

// Ready is called once, when the pantry is ready and before the first order.
func (k *kitchen) Ready(ctx context.Context) *future.Base[bool] {
	k.pantry = pantryv1.MustLocatePantry(ctx)
	return future.NewBaseWithValue(true)
}

// Order implements the rpc.
func (k *kitchen) Order(ctx context.Context, in *pb.OrderRequest) *pb.KitchenOrderFuture {
	return pb.KitchenOrderDone(k.order(ctx, in.GetPizza()))
}

// order returns a ticket when the ingredients are available. The call to the pantry inherits the
// deadline of the order from ctx.
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
	ticket, err := k.orders.Start(ctx, func(context.Context) (string, error) {
		time.Sleep(bakingTime)
		return pizza, nil
	})
	if err != nil {
		return nil, fmt.Errorf("no room in the oven: %w", err)
	}
	slog.InfoContext(ctx, "in the oven", "pizza", pizza, "ticket", ticket)
	return &pb.Ticket{Id: idpb.New(ticket)}, nil
}

// Check implements the rpc.
func (k *kitchen) Check(_ context.Context, in *pb.Ticket) *pb.KitchenCheckFuture {
	return pb.KitchenCheckDone(k.check(in))
}

func (k *kitchen) check(in *pb.Ticket) (*pb.Progress, error) {
	ticket, err := idpb.As[ticketID](in.GetId())
	if err != nil {
		return nil, pb.KitchenErr_UnknownTicket
	}
	switch k.orders.Poll(ticket).State {
	case job.Running:
		return &pb.Progress{Stage: pb.Stage_Baking}, nil
	case job.Done:
		return &pb.Progress{Stage: pb.Stage_Ready}, nil
	default:
		return nil, pb.KitchenErr_UnknownTicket
	}
}

func main() { pb.RunKitchen(context.Background(), newKitchen(), pantryv1.RequirePantry()) }
