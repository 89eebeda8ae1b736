// Package samples has the Go samples of the user guide. The pages in docs/src include the parts
// between anchors.
package samples

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/id"
	"github.com/parigot/parigot/parigot-guest-go/job"
	"github.com/parigot/parigot/parigot-guest-go/stdio"

	pb "example.com/helloworld/stubs/greeting/v1"
)

// CallWithDeadline calls a service with a deadline.
func CallWithDeadline(ctx context.Context) (string, error) {
	// ANCHOR: deadline
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	greeting, err := pb.LocateGreeting(ctx)
	if err != nil {
		return "", err
	}
	request := &pb.FetchGreetingRequest{Tongue: pb.Tongue_French}
	reply, err := greeting.FetchGreeting(ctx, request).Await(ctx)
	if err != nil {
		return "", fmt.Errorf("no greeting: %w", err)
	}
	return reply.Greeting, nil
	// ANCHOR_END: deadline
}

// Describe describes the error of a call.
func Describe(err error) string {
	// ANCHOR: errors
	if own, ok := errors.AsType[pb.GreetErr](err); ok {
		return "error of the service: " + own.String()
	}
	if status, ok := errors.AsType[*parigot.CallError](err); ok {
		return fmt.Sprintf("%v, %v: %s", status.Code, status.Cause, status.Message)
	}
	// ANCHOR_END: errors
	return err.Error()
}

// CallByName calls a method by name, with messages in protobuf's wire format.
func CallByName(ctx context.Context, request []byte) ([]byte, error) {
	// ANCHOR: dynamic
	greeting, err := parigot.LocateDynamic(ctx, "greeting.v1.Greeting")
	if err != nil {
		return nil, err
	}
	return greeting.Call(ctx, "FetchGreeting", request).Await(ctx)
	// ANCHOR_END: dynamic
}

// Combine calls a service several times at once.
func Combine(ctx context.Context, greeting pb.GreetingClient) error {
	in := &pb.FetchGreetingRequest{Tongue: pb.Tongue_French}
	// ANCHOR: combine
	fetch := func() *pb.GreetingFetchGreetingFuture { return greeting.FetchGreeting(ctx, in) }
	replies, err := future.All(fetch(), fetch()).Await(ctx)
	if err != nil {
		return err
	}
	fastest, err := future.Race(fetch(), fetch()).Await(ctx)
	if err != nil {
		return err
	}
	bounded, err := future.Timeout(fetch(), time.Second).Await(ctx)
	if err != nil {
		return err
	}
	// ANCHOR_END: combine
	slog.InfoContext(ctx, "greetings",
		"count", len(replies), "fastest", fastest.Greeting, "bounded", bounded.Greeting)
	return nil
}

// CloseAtExit registers work for the exit of the guest.
func CloseAtExit(ctx context.Context, greeting pb.GreetingClient) {
	// ANCHOR: at_exit
	parigot.AtExit(ctx, func(ctx context.Context) {
		// The guest leaves in any case, so the error is ignored.
		_, _ = greeting.FetchGreeting(ctx, &pb.FetchGreetingRequest{}).Await(ctx)
	})
	// ANCHOR_END: at_exit
}

type ticketID struct{}

func (ticketID) Name() string   { return "TicketID" }
func (ticketID) Prefix() string { return "tkt" }

// TicketID is the id of a ticket, as `parigot boilerplateid` writes it.
type TicketID = id.ID[ticketID]

// NewTicketID returns a new id.
func NewTicketID() TicketID { return id.New[ticketID]() }

// ANCHOR: jobs

// Kitchen bakes pizzas in the background.
type Kitchen struct{ orders *job.Jobs[TicketID, string] }

// NewKitchen returns a kitchen for at most 100 orders. Results are kept for one minute.
func NewKitchen() *Kitchen {
	return &Kitchen{job.New[string](NewTicketID, job.Config{AtMost: 100, Keeping: time.Minute})}
}

// Order starts to bake and returns a ticket at once.
func (k *Kitchen) Order(ctx context.Context, pizza string) (TicketID, error) {
	return k.orders.Start(ctx, func(context.Context) (string, error) {
		time.Sleep(10 * time.Second)
		return pizza, nil
	})
}

// Check returns the state of an order.
func (k *Kitchen) Check(ticket TicketID) string {
	switch k.orders.Poll(ticket).State {
	case job.Running:
		return "baking"
	case job.Done:
		return "ready"
	default:
		return "unknown ticket"
	}
}

// ANCHOR_END: jobs

// LineLengths writes the length of each line of the input.
func LineLengths(ctx context.Context) error {
	// ANCHOR: stdio
	console, err := stdio.Locate(ctx)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(console)
	for lines.Scan() {
		if _, err := fmt.Fprintln(console, len(lines.Text())); err != nil {
			return err
		}
	}
	// ANCHOR_END: stdio
	return lines.Err()
}
