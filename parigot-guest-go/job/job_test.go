package job_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/id"
	"github.com/parigot/parigot/parigot-guest-go/job"
)

// ticketID is an id as `parigot boilerplateid` writes it.
type (
	ticketID = id.ID[ticket]
	ticket   struct{}
)

func (ticket) Name() string   { return "TicketID" }
func (ticket) Prefix() string { return "tkt" }

func newTicketID() ticketID { return id.New[ticket]() }

var errBurnt = errors.New("burnt")

// baking returns work of that duration.
func baking(long time.Duration, err error) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		select {
		case <-time.After(long):
			return "margherita", err
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func check(t *testing.T, found job.Job[string], want string) {
	t.Helper()
	if text := fmt.Sprint(found.State, " ", found.Result, " ", found.Err); text != want {
		t.Fatalf("found %q, want %q", text, want)
	}
}

func start(
	t *testing.T, jobs *job.Jobs[ticketID, string], work func(context.Context) (string, error),
) ticketID {
	t.Helper()
	started, err := jobs.Start(t.Context(), work)
	if err != nil {
		t.Fatal(err)
	}
	return started
}

func TestJobOutlivesItsCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := job.New[string](newTicketID, job.Config{Keeping: time.Minute})
		type colour struct{}
		coloured := context.WithValue(t.Context(), colour{}, "red")
		ctx, cancel := context.WithTimeout(coloured, time.Second)
		order, err := jobs.Start(ctx, func(ctx context.Context) (string, error) {
			_, hasDeadline := ctx.Deadline()
			pizza, err := baking(time.Hour, nil)(ctx)
			return fmt.Sprint(pizza, " ", ctx.Value(colour{}), " ", hasDeadline), err
		})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		check(t, jobs.Poll(order), "Running  <nil>")
		check(t, jobs.Poll(newTicketID()), "Unknown  <nil>")
		time.Sleep(time.Hour)
		synctest.Wait()
		for range 2 {
			check(t, jobs.Poll(order), "Done margherita red false <nil>")
		}
		time.Sleep(time.Minute)
		check(t, jobs.Poll(order), "Unknown  <nil>")
	})
}

func TestFailedJobIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := job.New[string](newTicketID, job.Config{})
		burnt := start(t, jobs, baking(0, errBurnt))
		check(t, jobs.Wait(t.Context(), burnt), "Done margherita burnt")
	})
}

func TestJobsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := job.New[string](newTicketID, job.Config{AtMost: 2, Keeping: time.Minute})
		start(t, jobs, baking(time.Second, nil))
		start(t, jobs, baking(time.Hour, nil))
		_, err := jobs.Start(t.Context(), baking(0, nil))
		const want = "2 jobs run, which is the limit"
		if err == nil || err.Error() != want {
			t.Fatalf("found %v, want %q", err, want)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		_, err = jobs.Start(t.Context(), baking(0, nil))
		if !errors.As(err, new(job.TooManyError)) {
			t.Fatalf("a kept result must count, found %v", err)
		}
		time.Sleep(time.Minute)
		start(t, jobs, baking(0, nil))
		time.Sleep(2 * time.Hour)
	})
}

func TestCancelEndsOrRemovesAJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := job.New[string](newTicketID, job.Config{Keeping: time.Minute})
		ended := make(chan error, 1)
		running := start(t, jobs, func(ctx context.Context) (string, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return "late", nil
		})
		waited := make(chan job.Job[string])
		go func() { waited <- jobs.Wait(t.Context(), running) }()
		synctest.Wait()
		if !jobs.Cancel(running) || jobs.Cancel(running) {
			t.Fatal("the first Cancel must find the job, the second must not")
		}
		check(t, <-waited, "Unknown  <nil>")
		if err := <-ended; err != context.Canceled {
			t.Fatalf("found %v", err)
		}
		check(t, jobs.Poll(running), "Unknown  <nil>")

		done := start(t, jobs, baking(0, nil))
		jobs.Wait(t.Context(), done)
		if !jobs.Cancel(done) {
			t.Fatal("Cancel must find the kept result")
		}
		check(t, jobs.Poll(done), "Unknown  <nil>")
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := job.New[string](newTicketID, job.Config{Keeping: time.Minute})
		order := start(t, jobs, baking(time.Hour, nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		check(t, jobs.Wait(ctx, order), "Running  <nil>")
		check(t, jobs.Wait(t.Context(), order), "Done margherita <nil>")
	})
}

func Example() {
	ctx := context.Background()
	orders := job.New[string](newTicketID, job.Config{})

	// In the method Order:
	ticket, err := orders.Start(ctx, func(context.Context) (string, error) {
		return "margherita", nil
	})
	if err != nil {
		fmt.Println(err) // too many jobs
	}

	// In the method Check:
	order := orders.Wait(ctx, ticket)
	fmt.Println(order.State, order.Result)
	// Output: Done margherita
}
