// Worker serves load.v1.Work. It logs a line at the start of each job, and then does what the job
// requests. It is the Go version of tests/guests/worker.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"

	pb "parigot.test/guests/stubs/load/v1"
)

// skew is the tolerance for a caller in another process, which reads the same clock at two times.
const skew = 50 * time.Millisecond

type worker struct{}

// rounds is the length of the computation for each job.
var rounds, _ = strconv.Atoi(os.Getenv("ROUNDS"))

// init runs the deed in the variable INIT, before Go's runtime calls main.
func init() {
	if deed, ok := os.LookupEnv("INIT"); ok {
		commit(context.Background(), jobOf(deed))
	}
}

// jobOf parses the name of a deed and, after a colon, its amount.
func jobOf(deed string) *pb.Job {
	name, amount, _ := strings.Cut(deed, ":")
	number, _ := strconv.Atoi(amount)
	return &pb.Job{Deed: pb.Job_Deed(pb.Job_Deed_value[name]), Amount: uint32(number)}
}

func (worker) Ready(ctx context.Context) *future.Base[bool] {
	if deed, ok := os.LookupEnv("READY"); ok {
		commit(ctx, jobOf(deed))
	}
	return future.NewBaseWithValue(true)
}

func (worker) Run(ctx context.Context, job *pb.Job) *pb.WorkRunFuture {
	writeDown(ctx, job)
	for k := range rounds {
		sink ^= k
	}
	if job.GetMoment() == pb.Job_InBackground {
		go inBackground(job)
	} else {
		commit(ctx, job)
	}
	return pb.WorkRunDone(&pb.Done{Number: job.GetNumber(), Ballast: job.GetBallast()}, nil)
}

// writeDown logs the start of a job before the deed, which may end the guest.
func writeDown(ctx context.Context, job *pb.Job) {
	deadline, ok := ctx.Deadline()
	now, late := time.Now(), ""
	latest := time.Unix(0, int64(job.GetDeadlineNs())).Add(skew)
	if ok && !now.Before(deadline) || now.After(latest) {
		late = " late"
	}
	slog.InfoContext(ctx, fmt.Sprintf("load: ran %d/%d%s", job.GetCaller(), job.GetNumber(), late))
}

func inBackground(job *pb.Job) {
	time.Sleep(time.Millisecond) // the reply is sent at the end of the turn
	commit(context.Background(), job)
}

// commit does the deed of the job. It does not return from deeds that end the guest.
func commit(ctx context.Context, job *pb.Job) {
	amount := int(job.GetAmount())
	switch job.GetDeed() {
	case pb.Job_Trap:
		var mutex sync.Mutex
		mutex.Unlock() // Go's runtime cannot recover from it
	case pb.Job_Loop:
		for {
		}
	case pb.Job_Fill:
		memory := make([]byte, 16<<20)
		for {
			clear(memory)
		}
	case pb.Job_Overflow:
		sink = overflow(0)
	case pb.Job_Grow:
		var all [][]byte
		for {
			all = append(all, make([]byte, 1<<20))
		}
	case pb.Job_Panic:
		panic("told to panic")
	case pb.Job_Leave:
		leave(amount)
	case pb.Job_Sleep:
		time.Sleep(time.Duration(amount) * time.Millisecond)
	case pb.Job_Hang:
		<-ctx.Done()
	}
}

// leave ends the guest. Before main runs, only Go's runtime can end it.
var leave = os.Exit

func overflow(depth int) int {
	return overflow(depth+1) ^ depth
}

// sink keeps the compiler from removing computations with unused results.
var sink int

func main() {
	ctx := context.Background()
	leave = func(status int) { parigot.Exit(ctx, status) }
	pb.RunWork(ctx, worker{})
}
