package parigot

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/future"
)

// RetryPolicy limits [Retry]. A field of 0 has its default.
//
// The pause before attempt n + 1 is a random duration between half and all of Backoff * 2^(n-1),
// which is at most BackoffMax.
type RetryPolicy struct {
	Attempts   int           // largest number of attempts, the first included; default 3
	Time       time.Duration // longest time from the first attempt to the last; default 10 s
	Backoff    time.Duration // longest pause before the second attempt; default 50 ms
	BackoffMax time.Duration // longest pause before any attempt; default 1 s
}

// Retry makes a call, and makes it again while it fails in a way that permits it. It returns the
// response, or the error of the last attempt.
//
//	response, err := parigot.Retry(ctx, parigot.RetryPolicy{}, func() *pb.ShopSellFuture {
//		return shop.Sell(ctx, request)
//	})
//
// A call is repeated if it was refused for a reason that may pass: no instance was reachable, a
// limit was reached, or the call's deadline passed before the call began. A call whose fate is
// unknown is repeated only if the .proto declares the method as idempotent or without side effects.
// Answers are never repeated.
//
// The policy limits the number of attempts and their time. No attempt begins after the deadline of
// ctx, or after its end.
func Retry[T any, E future.ErrorType](
	ctx context.Context, policy RetryPolicy, call func() *future.Method[T, E],
) (T, error) {
	end := time.Now().Add(cmp.Or(policy.Time, 10*time.Second))
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	for attempt := 1; ; attempt++ {
		response, err := call().Await(ctx)
		if err == nil || attempt >= cmp.Or(policy.Attempts, 3) || !mayRepeat(err) {
			return response, err
		}
		pause := policy.pause(attempt)
		if ctx.Err() != nil || !time.Now().Add(pause).Before(end) {
			return response, err
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return response, err
		}
	}
}

// mayRepeat reports whether repeating the call cannot do harm and may help.
func mayRepeat(err error) bool {
	status, ok := errors.AsType[*CallError](err)
	if !ok {
		return false
	}
	switch status.Fate() {
	case FateAnswered:
		return false
	case FateRefused:
		switch status.Cause {
		case CauseTooLarge, CauseUndecodable, CauseNoSuchMethod:
			return false // the same request fails for the same reason again
		}
		return true
	}
	return status.repeatable && status.Cause != CauseCanceled
}

// pause returns the pause after an attempt. The random part keeps callers that have failed at the
// same time from coming back at the same time.
func (p RetryPolicy) pause(attempt int) time.Duration {
	longest, most := cmp.Or(p.Backoff, 50*time.Millisecond), cmp.Or(p.BackoffMax, time.Second)
	for ; attempt > 1 && longest < most; attempt-- {
		longest *= 2
	}
	half := min(longest, most) / 2
	return half + rand.N(half+1)
}
