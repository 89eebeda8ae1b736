package parigot_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/id"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestMessagesAndDetailsReachTheCaller(t *testing.T) {
	pause := durationpb.New(3 * time.Second)
	for _, c := range []struct {
		err           error
		want, message string
		code          parigot.Code
		details       int
	}{
		{soldOut, "SoldOut", "", parigot.FailedPrecondition, 0},
		{
			parigot.WithMessage(soldOut, "no bread"),
			"SoldOut: no bread", "no bread", parigot.FailedPrecondition, 0,
		},
		{
			parigot.WithDetail(parigot.WithMessage(soldOut, "later"), pause),
			"SoldOut: later", "later", parigot.FailedPrecondition, 1,
		},
		{
			parigot.WithMessage(parigot.WithDetail(parigot.WithDetail(soldOut, pause), pause), "x"),
			"SoldOut: x", "x", parigot.FailedPrecondition, 2,
		},
		{parigot.WithDetail(soldOut, pause), "SoldOut", "", parigot.FailedPrecondition, 1},
		{
			parigot.WithDetail(parigot.Unavailable, pause),
			"UNAVAILABLE", "", parigot.Unavailable, 1,
		},
		{
			parigot.WithMessage(parigot.NotFound, "no such bread"),
			"NOT_FOUND: no such bread", "no such bread", parigot.NotFound, 0,
		},
		{
			parigot.WithMessage(errors.New("a secret"), "the till is stuck"),
			"UNKNOWN: the till is stuck", "the till is stuck", parigot.Unknown, 0,
		},
		{
			parigot.WithDetail(shopErr(0), pause),
			"INTERNAL: returned error number 0", "returned error number 0", parigot.Internal, 0,
		},
	} {
		ctx, shop := open(t, func(context.Context, *text) (*text, error) { return nil, c.err })
		err := check(t, ctx, shop.sell(ctx, say("bread")), c.want)
		if message, code := parigot.MessageOf(err), parigot.CodeOf(err); message != c.message ||
			code != c.code {
			t.Errorf("%v: found message %q and code %v", c.err, message, code)
		}
		details := parigot.DetailsOf[*durationpb.Duration](err)
		if len(details) != c.details {
			t.Errorf("%v: found details %v", c.err, details)
		}
		for _, detail := range details {
			if !proto.Equal(detail, pause) {
				t.Errorf("%v: found %v", c.err, detail)
			}
		}
		if others := parigot.DetailsOf[*timestamppb.Timestamp](err); len(others) != 0 {
			t.Errorf("%v: found %v of another type", c.err, others)
		}
	}
}

func TestErrorOfAnIDIsAnInvalidArgument(t *testing.T) {
	for _, err := range []error{
		id.MissingError{}, id.TypeError{}, id.LengthError{}, id.DigitError{}, id.CheckError{},
	} {
		ctx, shop := open(t, func(context.Context, *text) (*text, error) {
			return nil, fmt.Errorf("bread: %w", err)
		})
		check(t, ctx, shop.sell(ctx, say("bread")), "INVALID_ARGUMENT: bread: "+err.Error())
	}
}

func TestNilErrorsStayNil(t *testing.T) {
	pause := durationpb.New(time.Second)
	if parigot.WithMessage(nil, "x") != nil || parigot.WithDetail(nil, pause) != nil {
		t.Error("a nil error must stay nil")
	}
	if parigot.CodeOf(nil) != parigot.OK {
		t.Error("the code of nil must be OK")
	}
}

func TestErrorOfANestedCallBecomesAStatus(t *testing.T) {
	pause := durationpb.New(time.Second)
	refused := parigot.WithDetail(parigot.WithMessage(parigot.Aborted, "conflict"), pause)
	for _, c := range []struct {
		err, nested error
		want        string
		details     int
	}{
		{
			future.Error[otherErr]{Value: 3}, nil,
			"FAILED_PRECONDITION: the service failed with 3", 0,
		},
		{nil, refused, "ABORTED: conflict", 1},
		{
			nil, parigot.WithDetail(soldOut, pause),
			"SoldOut", 1, // the same enum: an error of this service, too
		},
	} {
		ctx, outer := open(t, func(ctx context.Context, _ *text) (*text, error) {
			if c.err != nil {
				return nil, fmt.Errorf("%w", c.err)
			}
			innerCtx, inner := open(t, func(context.Context, *text) (*text, error) {
				return nil, c.nested
			})
			return inner.sell(innerCtx, say("bread")).Await(innerCtx)
		})
		_, err := outer.sell(ctx, say("bread")).Await(ctx)
		if found := withoutCall(err); found != c.want {
			t.Errorf("found %q, want %q", found, c.want)
		}
		if details := parigot.DetailsOf[*durationpb.Duration](err); len(details) != c.details {
			t.Errorf("%v: found details %v", err, details)
		}
	}
}

func TestNestedErrorIsSentWithoutItsMessageAndDetails(t *testing.T) {
	pause := durationpb.New(time.Second)
	for _, c := range []struct {
		note    func(error) error
		want    string
		details int
	}{
		{
			func(err error) error { return err },
			"FAILED_PRECONDITION: the service failed with 4: later", 0,
		},
		{
			func(err error) error {
				return parigot.WithDetail(parigot.WithMessage(err, "mine"), pause)
			},
			"FAILED_PRECONDITION: mine", 1,
		},
	} {
		ctx, outer := open(t, func(ctx context.Context, in *text) (*text, error) {
			innerCtx, inner := open(t, func(context.Context, *text) (*text, error) {
				return nil, parigot.WithDetail(parigot.WithMessage(soldOut, "later"), pause)
			})
			call := parigot.Call[*text, otherErr](innerCtx, inner.channel, 0, in, newText())
			_, err := call.Await(innerCtx)
			if details := parigot.DetailsOf[*durationpb.Duration](err); len(details) != 1 {
				t.Errorf("%v: found details %v", err, details)
			}
			return nil, c.note(err)
		})
		_, err := outer.sell(ctx, say("bread")).Await(ctx)
		if found := withoutCall(err); found != c.want {
			t.Errorf("found %q, want %q", found, c.want)
		}
		if details := parigot.DetailsOf[*durationpb.Duration](err); len(details) != c.details {
			t.Errorf("%v: found details %v", err, details)
		}
	}
}

// otherErr is the error enum of another service, which is not an error type.
type otherErr int32
