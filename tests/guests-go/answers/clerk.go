package main

import (
	"context"
	"fmt"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "parigot.test/guests/stubs/answers/v1"
)

// clerk serves answers.v1.Desk. It is the Go version of tests/guests/desk, which documents the
// words.
type clerk struct{ answers pb.AnswersClient }

func (c *clerk) Ready(ctx context.Context) *future.Base[bool] {
	answers, err := pb.LocateAnswersNamed(ctx, "shelf")
	c.answers = answers
	return future.NewBaseWithValue(err == nil)
}

func (c *clerk) Pass(ctx context.Context, in *pb.Question) *pb.DeskPassFuture {
	return pb.DeskPassDone(c.pass(ctx, in))
}

func (c *clerk) pass(ctx context.Context, in *pb.Question) (*pb.Answer, error) {
	switch in.GetWord() {
	case "away":
		return nil, parigot.WithMessage(pb.DeskErr_AWAY, "at lunch")
	case "annotated":
		_, err := c.answers.Ask(ctx, &pb.Question{Word: "error-details"}).Await(ctx)
		err = parigot.WithMessage(err, "asked in vain")
		return nil, parigot.WithDetail(err, &durationpb.Duration{Seconds: 9})
	case "retry":
		return c.retry(ctx), nil
	}
	return c.answers.Ask(ctx, in).Await(ctx)
}

// retry repeats a call that is refused each time. The first pause takes at least five seconds, so
// that the deadline of the inbound call ends the attempts.
func (c *clerk) retry(ctx context.Context) *pb.Answer {
	policy := parigot.RetryPolicy{
		Attempts: 1_000, Time: time.Minute, Backoff: 10 * time.Second, BackoffMax: 10 * time.Second,
	}
	attempts := 0
	_, err := parigot.Retry(ctx, policy, func() *pb.AnswersAskFuture {
		attempts++
		late, cancel := context.WithTimeout(ctx, 0)
		defer cancel()
		return c.answers.Ask(late, &pb.Question{})
	})
	refused := parigot.FateOf(err) == parigot.FateRefused
	return &pb.Answer{Text: fmt.Sprintf("refused %v, attempts %d", refused, attempts)}
}
