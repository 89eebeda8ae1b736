package parigot_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"
)

// fails returns a future that has failed for the cause.
func fails(cause parigot.Cause) *sale {
	return future.Done[*text, shopErr](nil, &parigot.CallError{
		Code: parigot.Unavailable, Cause: cause,
	})
}

func TestRefusedCallIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var pauses []time.Duration
		response, err := parigot.Retry(t.Context(), parigot.RetryPolicy{}, func() *sale {
			pauses = append(pauses, time.Since(began))
			if len(pauses) < 3 {
				return fails(parigot.CauseOverloaded)
			}
			return future.Done[*text, shopErr](say("bread"), nil)
		})
		if err != nil || response.Value != "bread" {
			t.Fatalf("found %v, %v", response, err)
		}
		first, second := pauses[1], pauses[2]-pauses[1]
		const ms = time.Millisecond
		if first < 25*ms || first > 50*ms || second < 50*ms || second > 100*ms {
			t.Fatalf("the pauses are %v and %v", first, second)
		}
	})
}

func TestAttemptsAndTimeAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count := func(ctx context.Context, policy parigot.RetryPolicy) (attempts int) {
			_, err := parigot.Retry(ctx, policy, func() *sale {
				attempts++
				return fails(parigot.CauseUnreachable)
			})
			if !errors.Is(err, parigot.Unavailable) {
				t.Errorf("found %v", err)
			}
			return attempts
		}
		if found := count(t.Context(), parigot.RetryPolicy{Attempts: 5}); found != 5 {
			t.Errorf("%d attempts, want 5", found)
		}
		second := parigot.RetryPolicy{
			Attempts: 1000, Time: time.Second, BackoffMax: 100 * time.Millisecond,
		}
		if found := count(t.Context(), second); found < 10 || found > 25 {
			t.Errorf("%d attempts in a second", found)
		}
		short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if found := count(short, parigot.RetryPolicy{}); found != 1 {
			t.Errorf("%d attempts within a short deadline, want 1", found)
		}
	})
}

func TestCallIsRepeatedOnlyWithoutHarmAndWithHope(t *testing.T) {
	for _, cause := range []parigot.Cause{
		parigot.CauseAnswered, parigot.CauseTooLarge, parigot.CauseUndecodable,
		parigot.CauseNoSuchMethod, parigot.CauseCalleeTrapped, parigot.CauseTimedOut,
	} {
		attempts := 0
		_, _ = parigot.Retry(t.Context(), parigot.RetryPolicy{}, func() *sale {
			attempts++
			return fails(cause)
		})
		if attempts != 1 {
			t.Errorf("%v: %d attempts, want 1", cause, attempts)
		}
	}
}

func TestIdempotentCallOfUnknownFateIsRepeated(t *testing.T) {
	shopService.Methods[0].Idempotency = parigot.Idempotent
	defer func() { shopService.Methods[0].Idempotency = parigot.IdempotencyUnknown }()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		ctx, shop := open(t, func(ctx context.Context, in *text) (*text, error) {
			if attempts++; attempts == 1 {
				<-ctx.Done()
			}
			return in, nil
		})
		response, err := parigot.Retry(ctx, parigot.RetryPolicy{}, func() *sale {
			return shop.sell(ctx, say("bread"))
		})
		if err != nil || response.Value != "bread" || attempts != 2 {
			t.Fatalf("found %v, %v after %d attempts", response, err, attempts)
		}
	})
}

func TestLateCallIsRefusedAndRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, shop := open(t, func(context.Context, *text) (*text, error) {
			t.Error("the call must not run")
			return nil, soldOut
		})
		attempts := 0
		_, err := parigot.Retry(ctx, parigot.RetryPolicy{}, func() *sale {
			attempts++
			late, cancel := context.WithTimeout(ctx, 0)
			defer cancel()
			return shop.sell(late, say("bread"))
		})
		status, ok := errors.AsType[*parigot.CallError](err)
		if !ok || status.Cause != parigot.CauseExpired || attempts != 3 {
			t.Fatalf("found %v after %d attempts", err, attempts)
		}
		if parigot.FateOf(err) != parigot.FateRefused || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("found %v", err)
		}
	})
}
