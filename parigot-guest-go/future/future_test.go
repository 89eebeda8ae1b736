package future_test

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

	"github.com/parigot/parigot/parigot-guest-go/future"
)

// menuErr is an error enum as the generator writes it; plainErr is an enum of another package,
// which cannot have further methods.
type (
	menuErr  int32
	plainErr int32
)

const (
	soldOut   menuErr = 4
	unheardOf menuErr = 99
)

func (e menuErr) Error() string {
	if e == soldOut {
		return "SoldOut"
	}
	return fmt.Sprint(int32(e))
}

type dish = future.Method[string, menuErr]

var errKitchen = errors.New("the kitchen is closed")

func TestHandlersRunInOrderOfRegistration(t *testing.T) {
	method := future.New[string, menuErr]()
	var seen []string
	note := func(what string) func(string) {
		return func(response string) { seen = append(seen, what+response) }
	}
	method.Success(note("a ")).Failure(func(error) {
		t.Error("the failure handler of a success must not run")
	})
	method.Success(func(response string) {
		note("b ")(response)
		method.Success(note("from within b "))
	})
	method.Success(note("c "))
	method.Complete("soup", nil)
	method.Success(note("late "))
	method.Complete("ignored", errKitchen)
	want := []string{"a soup", "b soup", "c soup", "from within b soup", "late soup"}
	if !slices.Equal(seen, want) {
		t.Fatalf("found %q, want %q", seen, want)
	}
}

func TestErrorsOfTheServiceAreDistinguished(t *testing.T) {
	for _, c := range []struct {
		err          error
		own          menuErr // 0 if the error is not the service's
		text, asText string
	}{
		{soldOut, soldOut, "SoldOut", "failure: SoldOut"},
		{unheardOf, unheardOf, "99", "failure: 99"},
		{future.Error[menuErr]{Value: soldOut}, soldOut, "SoldOut", "failure: SoldOut"},
		{fmt.Errorf("no soup: %w", soldOut), soldOut, "SoldOut", "failure: SoldOut"},
		{errKitchen, 0, errKitchen.Error(), "failure: the kitchen is closed"},
	} {
		method := future.Done[string, menuErr]("soup", c.err)
		response, err := method.Await(t.Context())
		if response != "" || err == nil || err.Error() != c.text || method.String() != c.asText {
			t.Errorf("%v: found %q, %v, %v", c.err, response, err, method)
		}
		own, isOwn := errors.AsType[menuErr](err)
		wrapper, isWrapped := errors.AsType[future.Error[menuErr]](err)
		if own != c.own || isOwn != (c.own != 0) || isWrapped != isOwn || wrapper.Value != c.own {
			t.Errorf("%v: found %v and %v in it", c.err, own, wrapper)
		}
		if c.own != 0 && !errors.Is(err, c.own) {
			t.Errorf("%v is not %v", err, c.own)
		}
	}
	for _, none := range []error{nil, menuErr(0), future.Error[menuErr]{}} {
		response, err := future.Done[string, menuErr]("soup", none).Await(t.Context())
		if response != "soup" || err != nil {
			t.Errorf("%v: found %q, %v", none, response, err)
		}
	}
}

func TestEnumOfAnotherPackageIsFoundInError(t *testing.T) {
	method := future.New[string, plainErr]()
	method.CompleteMethod("", 7)
	_, err := method.Await(t.Context())
	if wrapper, ok := errors.AsType[future.Error[plainErr]](err); !ok || wrapper.Number() != 7 {
		t.Fatalf("found %v", err)
	}
	if err.Error() != "the service failed with 7" {
		t.Fatalf("found %q", err)
	}
}

func TestCancelledFutureNotifiesAllHandlers(t *testing.T) {
	method := future.New[string, menuErr]()
	var before, after error
	method.Failure(func(err error) { before = err })
	method.Cancel()
	method.Failure(func(err error) { after = err })
	method.Complete("soup", nil)
	_, awaited := method.Await(t.Context())
	for _, err := range []error{before, after, awaited} {
		if err != future.ErrCanceled || !errors.Is(err, context.Canceled) {
			t.Errorf("found %v, want %v", err, future.ErrCanceled)
		}
	}
}

func TestAwaitEndsWithContextButFutureContinues(t *testing.T) {
	method := future.New[string, menuErr]()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errKitchen)
	if _, err := method.Await(ctx); !errors.Is(err, errKitchen) {
		t.Fatalf("found %v, want %v", err, errKitchen)
	}
	method.Complete("soup", nil)
	if response, err := method.Await(ctx); response != "soup" || err != nil {
		t.Fatalf("found %q, %v", response, err)
	}
}

func TestManyGoroutinesMayWait(t *testing.T) {
	method := future.New[string, menuErr]()
	var waiting sync.WaitGroup
	for range 50 {
		waiting.Go(func() {
			if response, err := method.Await(t.Context()); response != "soup" || err != nil {
				t.Errorf("found %q, %v", response, err)
			}
		})
		waiting.Go(func() { method.Success(func(string) {}).Failure(func(error) {}) })
	}
	method.Complete("soup", nil)
	waiting.Wait()
}

func TestThenContinuesWithTheResponse(t *testing.T) {
	double := func(response string) *future.Method[int, plainErr] {
		return future.Done[int, plainErr](2*len(response), nil)
	}
	doubled := future.Then(future.Done[string, menuErr]("soup", nil), double)
	if length, err := doubled.Await(t.Context()); length != 8 || err != nil {
		t.Fatalf("found %d, %v", length, err)
	}
	_, err := future.Then(future.Done[string, menuErr]("", soldOut), double).Await(t.Context())
	if !errors.Is(err, soldOut) {
		t.Fatalf("found %v, want %v", err, soldOut)
	}
}

func TestCancelOfThenCancelsThePendingFuture(t *testing.T) {
	first, second := future.New[string, menuErr](), future.New[string, menuErr]()
	whole := future.Then(first, func(string) *dish { return second })
	first.Complete("soup", nil)
	whole.Cancel()
	if _, err := second.Await(t.Context()); !errors.Is(err, context.Canceled) {
		t.Fatalf("found %v", err)
	}

	first = future.New[string, menuErr]()
	future.Then(first, func(string) *dish {
		t.Error("a handler must not run after Cancel")
		return second
	}).Cancel()
	if _, err := first.Await(t.Context()); !errors.Is(err, context.Canceled) {
		t.Fatalf("found %v", err)
	}
}

func TestMapConvertsTheResponse(t *testing.T) {
	loud := future.Map(future.Done[string, menuErr]("soup", nil), strings.ToUpper)
	if response, err := loud.Await(t.Context()); response != "SOUP" || err != nil {
		t.Fatalf("found %q, %v", response, err)
	}
	failed := future.Map(future.Done[string, menuErr]("", errKitchen), strings.ToUpper)
	if _, err := failed.Await(t.Context()); err != errKitchen {
		t.Fatalf("found %v", err)
	}
}

func TestRaceCancelsTheRemainingFutures(t *testing.T) {
	slow, quick := future.New[string, menuErr](), future.New[string, menuErr]()
	first := future.Race(slow, quick)
	quick.Complete("salad", nil)
	if response, err := first.Await(t.Context()); response != "salad" || err != nil {
		t.Fatalf("found %q, %v", response, err)
	}
	if _, err := slow.Await(t.Context()); err != future.ErrCanceled {
		t.Fatalf("found %v", err)
	}
	completed := future.Done[string, menuErr]("soup", nil)
	decided := future.Race(completed, future.New[string, menuErr]())
	if response, _ := decided.Await(t.Context()); response != "soup" {
		t.Fatalf("found %q", response)
	}
	if _, err := future.Race[string, menuErr]().Await(t.Context()); err != future.ErrNone {
		t.Fatalf("found %v", err)
	}
}

func TestTimeoutCancelsALateFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := future.New[string, menuErr]()
		began := time.Now()
		_, err := future.Timeout(slow, time.Hour).Await(t.Context())
		if err != future.ErrTimedOut || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("found %v", err)
		}
		if took := time.Since(began); took != time.Hour {
			t.Fatalf("it took %v", took)
		}
		if _, err := slow.Await(t.Context()); err != future.ErrCanceled {
			t.Fatalf("found %v", err)
		}
		quick := future.New[string, menuErr]()
		timed := future.Timeout(quick, time.Hour)
		quick.Complete("soup", nil)
		time.Sleep(2 * time.Hour)
		if response, err := timed.Await(t.Context()); response != "soup" || err != nil {
			t.Fatalf("found %q, %v", response, err)
		}
	})
}

func TestAllSucceedsAfterAllFutures(t *testing.T) {
	completed := future.Done[string, menuErr]("soup", nil)
	late := future.New[string, menuErr]()
	all := future.All(completed, late)
	fired := 0
	all.Success(func() { fired++ })
	all.Failure(func(int) { t.Error("the failure handler must not run") })
	if all.Completed() || fired != 0 {
		t.Fatal("completed before all futures have succeeded")
	}
	late.Complete("salad", nil)
	responses, err := all.Await(t.Context())
	want := []string{"soup", "salad"}
	if !slices.Equal(responses, want) || err != nil || fired != 1 {
		t.Fatalf("found %q, %v, the handler ran %d times", responses, err, fired)
	}
}

func TestAllOfCompletedOrNoFuturesCompletes(t *testing.T) {
	fired := 0
	future.All[string, menuErr]().Success(func() { fired++ })
	future.All(future.Done[string, menuErr]("soup", nil)).Success(func() { fired++ })
	if fired != 2 {
		t.Fatalf("%d of 2 handlers have run", fired)
	}
}

func TestAllFailsWithTheFirstFailure(t *testing.T) {
	first, second := future.New[string, menuErr](), future.New[string, menuErr]()
	all := future.All(first, second)
	index := -1
	all.Failure(func(failed int) { index = failed })
	second.Complete("", soldOut)
	first.Complete("", errKitchen)
	if _, err := all.Await(t.Context()); index != 1 || !errors.Is(err, soldOut) {
		t.Fatalf("found %d, %v", index, err)
	}
	waiting := future.New[string, menuErr]()
	all = future.All(waiting)
	all.Cancel()
	if _, err := all.Await(t.Context()); err != future.ErrCanceled || len(all.AllDependent()) != 1 {
		t.Fatalf("found %v", err)
	}
}

func TestBaseRunsHandlersInOrder(t *testing.T) {
	base := future.NewBase[int]()
	var seen []int
	note := func(value int) { seen = append(seen, value) }
	base.Handle(note)
	base.Handle(func(value int) { note(10 * value) })
	if base.Completed() || !base.Set(1) || base.Set(2) {
		t.Fatal("the first value has two handlers to run, the second none")
	}
	base.Handle(note)
	base.HandleLater(note)
	base.Set(3)
	if want := []int{1, 10, 2, 3}; !slices.Equal(seen, want) {
		t.Fatalf("found %v, want %v", seen, want)
	}
}

func TestBaseCanBeAwaitedAndCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := future.NewBase[bool]()
		go base.Set(true)
		if value, err := base.Await(t.Context()); !value || err != nil {
			t.Fatalf("found %v, %v", value, err)
		}
		canceled := future.NewBase[bool]()
		canceled.Handle(func(bool) { t.Error("a handler must not run after Cancel") })
		canceled.Cancel()
		ran := false
		canceled.Handle(func(value bool) { ran = !value })
		if !ran || canceled.Set(true) {
			t.Fatal("a later handler runs at once, with the zero value")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := future.NewBase[bool]().Await(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("found %v", err)
		}
	})
}

func TestAllOfWaitsForFuturesOfAnyTypes(t *testing.T) {
	dish, bill := future.New[string, menuErr](), future.New[int, plainErr]()
	all := future.AllOf(dish, bill)
	bill.Complete(7, nil)
	if all.Completed() {
		t.Fatal("completed before all futures have succeeded")
	}
	dish.Complete("soup", nil)
	if err := all.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if amount, _ := bill.Await(t.Context()); amount != 7 {
		t.Fatalf("found %v", amount)
	}
}

func TestAllOfFailureCancelsTheRest(t *testing.T) {
	dish := future.New[string, menuErr]()
	bill := future.New[int, plainErr]()
	tip := future.New[int, plainErr]()
	failed := -1
	all := future.AllOf(dish, bill, tip).Failure(func(index int) { failed = index })
	bill.CompleteMethod(0, 5)
	var own future.Error[plainErr]
	if err := all.Await(t.Context()); !errors.As(err, &own) || own.Value != 5 || failed != 1 {
		t.Fatalf("found %v of %d", err, failed)
	}
	for _, each := range []interface{ String() string }{dish, tip} {
		if want := "failure: future: context canceled"; each.String() != want {
			t.Fatalf("found %q, want %q", each, want)
		}
	}
}

func TestJoinWaitsForAllFutures(t *testing.T) {
	dish, bill := future.New[string, menuErr](), future.New[int, plainErr]()
	ended := false
	both := future.Join(dish, bill).Success(func() { ended = true })
	bill.CompleteMethod(0, 5)
	if both.Completed() {
		t.Fatal("completed before all futures have succeeded")
	}
	dish.Complete("soup", nil)
	if err := both.Await(t.Context()); err != nil || !ended {
		t.Fatalf("found %v, ended %v", err, ended)
	}
	if !future.Join().Completed() {
		t.Fatal("Join without futures must be completed")
	}
	waiting := future.New[string, menuErr]()
	cancelled := future.Join(waiting)
	cancelled.Cancel()
	if !waiting.Completed() || !cancelled.Completed() {
		t.Fatal("Cancel must complete the futures")
	}
}

func TestAnySuccessCancelsTheRest(t *testing.T) {
	failing := future.New[string, menuErr]()
	quick := future.New[string, menuErr]()
	slow := future.New[string, menuErr]()
	first := future.Any(failing, quick, slow)
	failing.CompleteMethod("", soldOut)
	if first.Completed() {
		t.Fatal("completed while futures may still succeed")
	}
	quick.Complete("soup", nil)
	response, err := first.Await(t.Context())
	if response != "soup" || err != nil || !slow.Completed() {
		t.Fatalf("found %q, %v, %v", response, err, slow)
	}
}

func TestAnyFailsWithAllErrors(t *testing.T) {
	failing, closed := future.New[string, menuErr](), future.New[string, menuErr]()
	first := future.Any(failing, closed)
	closed.Complete("", errKitchen)
	failing.CompleteMethod("", soldOut)
	_, err := first.Await(t.Context())
	if !errors.Is(err, soldOut) || !errors.Is(err, errKitchen) {
		t.Fatalf("found %v", err)
	}
	if want := "all 2 calls failed: SoldOut; the kitchen is closed"; err.Error() != want {
		t.Fatalf("found %q, want %q", err, want)
	}
	_, err = future.Any[string, menuErr]().Await(t.Context())
	if want := "future: Any called with no futures"; err == nil || err.Error() != want {
		t.Fatalf("found %v, want %s", err, want)
	}
}
