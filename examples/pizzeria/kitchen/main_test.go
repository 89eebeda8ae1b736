package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/id"
	"github.com/parigot/parigot/parigot-guest-go/idpb"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"

	pb "example.com/pizzeria/stubs/go/kitchen/v1"
	pantryv1 "example.com/pizzeria/stubs/go/pantry/v1"
)

// fakePantry is a pantry whose method Take calls the function.
type fakePantry func(ctx context.Context) error

func (fakePantry) Ready(context.Context) *future.Base[bool] { return future.NewBaseWithValue(true) }

func (take fakePantry) Take(
	ctx context.Context, _ *pantryv1.TakeRequest,
) *pantryv1.PantryTakeFuture {
	return pantryv1.PantryTakeDone(&pantryv1.TakeResponse{}, take(ctx))
}

func full(context.Context) error { return nil }

func empty(context.Context) error { return pantryv1.PantryErr_SoldOut }

func locked(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// open returns a client of a kitchen with that pantry.
func open(t *testing.T, pantry fakePantry) (context.Context, pb.KitchenClient) {
	host := parigottest.New(t)
	host.Serve(pantryv1.ExportPantry(pantry))
	host.Serve(pb.ExportKitchen(newKitchen()), pantryv1.RequirePantry())
	ctx := host.Client(pb.RequireKitchen())
	return ctx, pb.MustLocateKitchen(ctx)
}

func TestPizzaIsReadyAfterBaking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, kitchen := open(t, full)
		ticket, err := kitchen.Order(ctx, &pb.OrderRequest{Pizza: "margherita"}).Await(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []pb.Stage{pb.Stage_Baking, pb.Stage_Ready} {
			progress, err := kitchen.Check(ctx, ticket).Await(ctx)
			if err != nil || progress.Stage != want {
				t.Fatalf("found %v, %v, want %v", progress.GetStage(), err, want)
			}
			time.Sleep(bakingTime)
			synctest.Wait() // until the job has ended
		}
	})
}

func TestUnavailablePizzaIsAnError(t *testing.T) {
	for _, c := range []struct {
		pizza  string
		pantry fakePantry
		want   pb.KitchenErr
	}{
		{"margherita", empty, pb.KitchenErr_SoldOut},
		{"hawaii", full, pb.KitchenErr_NotOnMenu},
	} {
		ctx, kitchen := open(t, c.pantry)
		_, err := kitchen.Order(ctx, &pb.OrderRequest{Pizza: c.pizza}).Await(ctx)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: found %v, want %v", c.pizza, err, c.want)
		}
	}
}

func TestOrderEndsWithTheDeadlineOfItsMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, kitchen := open(t, locked)
		began := time.Now()
		_, err := kitchen.Order(ctx, &pb.OrderRequest{Pizza: "margherita"}).Await(ctx)
		took := time.Since(began)
		if took != time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("after %v it ended with %v", took, err)
		}
	})
}

func TestUnissuedTicketIsUnknown(t *testing.T) {
	unissued := &pb.Ticket{Id: idpb.New(NewTicketID())}
	anotherType := &pb.Ticket{Id: idpb.New(id.New[id.Call]())}
	for _, ticket := range []*pb.Ticket{unissued, anotherType, {}} {
		if _, err := newKitchen().check(ticket); err != pb.KitchenErr_UnknownTicket {
			t.Errorf("%v: found %v", ticket, err)
		}
	}
}
