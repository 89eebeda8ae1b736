package parigot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"
	"google.golang.org/protobuf/proto"
)

// open serves a shop and returns a client of it.
func open(t *testing.T, sell sellFunc) (context.Context, shopClient) {
	t.Helper()
	host := parigottest.New(t)
	host.Serve((&shop{sell: sell}).export())
	ctx := host.Client(requireShop())
	return ctx, mustLocateShop(ctx)
}

// check compares the response or the error's text of a sale with want.
func check(t *testing.T, ctx context.Context, made *sale, want string) error {
	t.Helper()
	response, err := made.Await(ctx)
	found := response.GetValue()
	if err != nil {
		found = withoutCall(err)
	}
	if found != want {
		t.Fatalf("found %q, want %q", found, want)
	}
	return err
}

// withoutCall returns an error's text without the method and the random ids.
func withoutCall(err error) string {
	found, _, _ := strings.Cut(err.Error(), " (shop.v1.Shop/Sell")
	return found
}

func TestCallIsAnswered(t *testing.T) {
	ctx, shop := open(t, echo)
	check(t, ctx, shop.sell(ctx, say("bread")), "bread")
	check(t, ctx, shop.sell(ctx, say(strings.Repeat("x", 1<<20))), strings.Repeat("x", 1<<20))
}

func TestThousandCallsInFlight(t *testing.T) {
	var waiting sync.WaitGroup
	waiting.Add(1_000)
	ctx, shop := open(t, func(_ context.Context, in *text) (*text, error) {
		waiting.Done()
		waiting.Wait()
		return in, nil
	})
	sales := make([]*sale, 1_000)
	for k := range sales {
		sales[k] = shop.sell(ctx, say(fmt.Sprint(k)))
	}
	for k, made := range sales {
		check(t, ctx, made, fmt.Sprint(k))
	}
}

func TestErrorsReachTheCaller(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
		code parigot.Code // OK for an error of the service's enum
	}{
		{soldOut, "SoldOut", parigot.OK},
		{shopErr(17), "17", parigot.OK},
		{fmt.Errorf("no bread: %w", soldOut), "SoldOut: no bread", parigot.OK},
		{errors.New("the till is stuck"), "UNKNOWN: the till is stuck", parigot.Unknown},
		{parigot.PermissionDenied, "PERMISSION_DENIED", parigot.PermissionDenied},
		{fmt.Errorf("no till: %w", parigot.Aborted), "ABORTED: no till: ABORTED", parigot.Aborted},
		{
			&parigot.CallError{Code: parigot.DataLoss, Message: "mice"},
			"DATA_LOSS: mice", parigot.DataLoss,
		},
		{
			&parigot.CallError{
				Code:    parigot.Unavailable,
				Cause:   parigot.CauseUnreachable,
				Message: "no oven",
				Service: "x.Oven",
				Method:  "Bake",
			},
			"UNAVAILABLE: unreachable: no oven (x.Oven/Bake)", parigot.Unavailable,
		},
		{parigot.OK, "INTERNAL: returned error number 0", parigot.Internal},
		{shopErr(0), "INTERNAL: returned error number 0", parigot.Internal},
		{
			context.DeadlineExceeded,
			"DEADLINE_EXCEEDED: context deadline exceeded", parigot.DeadlineExceeded,
		},
	} {
		ctx, shop := open(t, func(context.Context, *text) (*text, error) { return nil, c.err })
		err := check(t, ctx, shop.sell(ctx, say("bread")), c.want)
		own, isOwn := errors.AsType[shopErr](err)
		status, isStatus := errors.AsType[*parigot.CallError](err)
		if isOwn == isStatus {
			t.Errorf("%v is both or neither: %v, %v", c.err, own, status)
		}
		if isStatus && !errors.Is(err, c.code) {
			t.Errorf("%v has become %v", c.err, err)
		}
		if isStatus && (status.Call.IsEmpty() || status.Instance.IsEmpty()) {
			t.Errorf("%v lacks its call or instance: %v", c.err, err)
		}
		if isStatus && status.Service+"/"+status.Method != "shop.v1.Shop/Sell" {
			t.Errorf("%v names %s/%s", c.err, status.Service, status.Method)
		}
		if fate := parigot.FateOf(err); fate != parigot.FateAnswered {
			t.Errorf("a handler returned %v, and the fate is %v", c.err, fate)
		}
	}
}

func TestDeadlineEndsCallAtBothSides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		atCallee := make(chan error, 1)
		ctx, shop := open(t, func(ctx context.Context, _ *text) (*text, error) {
			<-ctx.Done()
			atCallee <- ctx.Err()
			return nil, soldOut
		})
		began := time.Now()
		late, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		const timedOut = "DEADLINE_EXCEEDED: timed out: it was not answered in time"
		err := check(t, late, shop.sell(late, say("bread")), timedOut)
		if fate := parigot.FateOf(err); fate != parigot.FateUnknown {
			t.Fatalf("the fate is %v", fate)
		}
		took := time.Since(began)
		if took != time.Hour || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("it took %v and ended with %v", took, err)
		}
		if err := <-atCallee; err != context.DeadlineExceeded {
			t.Fatalf("the context of the handler ended with %v", err)
		}
		check(t, ctx, shop.sell(ctx, say("bread")), timedOut)
		if took = time.Since(began); took != time.Hour+3*time.Second {
			t.Fatalf("without a deadline it took %v more", took-time.Hour)
		}
		<-atCallee
	})
}

func TestCallAfterDeadlineIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, shop := open(t, echo)
		late, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		<-late.Done()
		const expired = "DEADLINE_EXCEEDED: expired: the deadline passed before the call began"
		err := check(t, late, shop.sell(late, say("bread")), expired)
		if fate := parigot.FateOf(err); fate != parigot.FateRefused {
			t.Fatalf("the fate is %v", fate)
		}
	})
}

func TestNestedCallInheritsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host := parigottest.New(t)
		left := make(chan time.Duration, 1)
		host.Serve((&shop{sell: func(ctx context.Context, in *text) (*text, error) {
			deadline, ok := ctx.Deadline()
			if !ok {
				t.Error("the context has no deadline")
			}
			left <- time.Until(deadline)
			return in, nil
		}}).export())
		mall := parigot.Service{Name: "shop.v1.Mall", Methods: shopService.Methods}
		host.Serve(parigot.Export{Service: &mall, Handlers: []parigot.Handler{
			parigot.Handle(newText, func(ctx context.Context, in *text) *sale {
				time.Sleep(time.Second)
				return mustLocateShop(ctx).sell(ctx, in)
			}),
		}}, requireShop())
		ctx := host.Client(parigot.Require(&mall))
		channel, err := parigot.Locate(ctx, &mall)
		if err != nil {
			t.Fatal(err)
		}
		timed, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		check(t, timed, shopClient{channel}.sell(timed, say("bread")), "bread")
		if found := <-left; found != 59*time.Second {
			t.Fatalf("%v were left", found)
		}
	})
}

func TestCancellationReachesTheCallee(t *testing.T) {
	for name, cancelBy := range map[string]func(context.CancelFunc, *sale){
		"by the context": func(cancel context.CancelFunc, _ *sale) { cancel() },
		"by the future":  func(_ context.CancelFunc, made *sale) { made.Cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			began, atCallee := make(chan struct{}), make(chan error, 1)
			ctx, shop := open(t, func(ctx context.Context, _ *text) (*text, error) {
				close(began)
				<-ctx.Done()
				atCallee <- context.Cause(ctx)
				return nil, nil
			})
			cancellable, cancel := context.WithCancel(ctx)
			defer cancel()
			made := shop.sell(cancellable, say("bread"))
			<-began
			cancelBy(cancel, made)
			err := check(t, ctx, made, "CANCELLED: cancelled: the caller cancelled the call")
			if !errors.Is(err, context.Canceled) || !errors.Is(err, future.ErrCanceled) {
				t.Fatalf("found %v", err)
			}
			if err := <-atCallee; err != context.Canceled {
				t.Fatalf("the context of the handler ended with %v", err)
			}
		})
	}
}

func TestCancellationEndsDerivedContexts(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	ctx, shop := open(t, func(ctx context.Context, in *text) (*text, error) {
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		close(began)
		<-derived.Done()
		ended <- derived.Err()
		return in, nil
	})
	made := shop.sell(ctx, say("bread"))
	<-began
	made.Cancel()
	if err := <-ended; err != context.Canceled {
		t.Fatalf("found %v", err)
	}
}

func TestHandlerMayCompleteLater(t *testing.T) {
	host := parigottest.New(t)
	held := make(chan *sale, 1)
	host.Serve(parigot.Export{Service: &shopService, Handlers: []parigot.Handler{
		parigot.Handle(newText, func(context.Context, *text) *sale {
			later := future.New[*text, shopErr]()
			held <- later
			return later
		}),
	}})
	ctx := host.Client(requireShop())
	shop := mustLocateShop(ctx)
	made := shop.sell(ctx, say("bread"))
	(<-held).Complete(say("cake"), nil)
	check(t, ctx, made, "cake")

	made = shop.sell(ctx, say("bread"))
	later := <-held
	told := make(chan error, 1)
	later.Failure(func(err error) { told <- err })
	made.Cancel()
	if err := <-told; err != future.ErrCanceled {
		t.Fatalf("found %v", err)
	}
}

func TestInvalidCallFailsImmediately(t *testing.T) {
	ctx, shop := open(t, echo)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	check(t, ctx, shop.sell(ended, say("bread")),
		"CANCELLED: cancelled: the caller cancelled the call")
	huge := say(strings.Repeat("x", 16<<20))
	check(t, ctx, shop.sell(ctx, huge),
		"RESOURCE_EXHAUSTED: too large: "+
			"request of 16777221 bytes exceeds the limit of 16777216")
	made := shop.sell(ctx, say("not \xff UTF-8"))
	_, err := made.Await(ctx)
	if !errors.Is(err, parigot.InvalidArgument) || parigot.FateOf(err) != parigot.FateRefused {
		t.Fatalf("found %v", err)
	}
}

func TestUnsendableResponseIsAnError(t *testing.T) {
	huge := say(strings.Repeat("x", 16<<20))
	notUTF8 := say("not \xff UTF-8")
	for want, response := range map[string]*text{
		"RESOURCE_EXHAUSTED: answer lost: " +
			"response of 16777221 bytes exceeds the limit of 16777216": huge,
		"INTERNAL: answer lost: " +
			"the response cannot be sent: string field contains invalid UTF-8": notUTF8,
	} {
		ctx, shop := open(t, func(context.Context, *text) (*text, error) { return response, nil })
		err := check(t, ctx, shop.sell(ctx, say("bread")), want)
		if fate := parigot.FateOf(err); fate != parigot.FateUnknown {
			t.Fatalf("the handler has run, and the fate is %v", fate)
		}
	}
}

func TestDynamicClientCallsByName(t *testing.T) {
	host := parigottest.New(t)
	host.Serve((&shop{sell: func(_ context.Context, in *text) (*text, error) {
		if in.Value == "cake" {
			return nil, soldOut
		}
		return in, nil
	}}).export())
	for name, requires := range map[string]parigot.Requirement{
		"required by name":       parigot.RequireDynamic("shop.v1.Shop"),
		"required by its client": requireShop(),
	} {
		t.Run(name, func(t *testing.T) {
			ctx := host.Client(requires)
			shop, err := parigot.LocateDynamic(ctx, "shop.v1.Shop")
			if err != nil {
				t.Fatal(err)
			}
			methods := shop.Methods()
			if shop.Service() != "shop.v1.Shop" || !slices.Contains(methods, "Sell") {
				t.Fatalf("%s has %q", shop.Service(), methods)
			}
			bread, _ := proto.Marshal(say("bread"))
			got, err := shop.Call(ctx, "Sell", bread).Await(ctx)
			if err != nil || !slices.Equal(got, bread) {
				t.Fatalf("found %q, %v", got, err)
			}
			cake, _ := proto.Marshal(say("cake"))
			_, err = shop.Call(ctx, "Sell", cake).Await(ctx)
			number, ok := errors.AsType[parigot.ErrorNumber](err)
			isSoldOut := ok && int32(number) == int32(soldOut)
			if !isSoldOut || parigot.FateOf(err) != parigot.FateAnswered {
				t.Fatalf("found %v", err)
			}
			_, err = shop.Call(ctx, "Steal", nil).Await(ctx)
			if !errors.Is(err, parigot.Unimplemented) {
				t.Fatalf("found %v", err)
			}
			if fate := parigot.FateOf(err); fate != parigot.FateRefused {
				t.Fatalf("the fate of %v is %v", err, fate)
			}
		})
	}
	_, err := parigot.LocateDynamic(host.Client(), "shop.v1.Shop")
	const want = `shop.v1.Shop is not among the services that this guest requires: ` +
		`hand parigot.RequireDynamic("shop.v1.Shop") to Launch, or to the guest's Run`
	if err == nil || err.Error() != want {
		t.Fatalf("found %v, want %s", err, want)
	}
}

func TestMetadataReachesTheHandler(t *testing.T) {
	ctx, shop := open(t, func(ctx context.Context, _ *text) (*text, error) {
		colour, ok := parigot.Metadata(ctx, "colour")
		_, other := parigot.Metadata(ctx, "size")
		return say(fmt.Sprint(colour, ok, other, parigot.CallID(ctx).IsEmpty())), nil
	})
	coloured := parigot.WithMetadata(parigot.WithMetadata(ctx, "colour", "red"), "weight", "1")
	check(t, ctx, shop.sell(coloured, say("bread")), "redtrue false false")
	if !parigot.CallID(ctx).IsEmpty() || parigot.InstanceID(ctx).IsEmpty() {
		t.Fatal("a client must have an instance id and no call id")
	}
}

func TestYieldReturns(t *testing.T) {
	ctx, shop := open(t, func(ctx context.Context, in *text) (*text, error) {
		parigot.Yield(ctx)
		return in, nil
	})
	check(t, ctx, shop.sell(ctx, say("bread")), "bread")
}
