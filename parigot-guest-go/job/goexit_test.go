package job_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/parigot/parigot/parigot-guest-go/job"
)

func TestGoexitEndsTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jobs := job.New[string](newTicketID, job.Config{})
		id, err := jobs.Start(t.Context(), func(context.Context) (string, error) {
			runtime.Goexit()
			return "", nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if ended := jobs.Wait(t.Context(), id); !errors.Is(ended.Err, job.ErrGoexit) {
			t.Fatalf("found %+v", ended)
		}
	})
}
