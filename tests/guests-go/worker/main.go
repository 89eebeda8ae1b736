// Worker serves load.v1.Work, as tests/guests/worker does in Rust: it writes a line for each job that it runs, the first thing that it does, and
// then does what the job asks for.
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

// skew is between the two times at which a caller in another process reads the clock, which is this one's.
const skew = 50 * time.Millisecond

type worker struct{}

// rounds is how long it computes for each job.
var rounds, _ = strconv.Atoi(os.Getenv("ROUNDS"))

// A deed in the variable INIT is done before Go's runtime has come to main.
func init() {
	if deed, ok := os.LookupEnv("INIT"); ok {
		commit(context.Background(), jobOf(deed))
	}
}

// jobOf reads the name of a deed and, behind a colon, its amount.
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

// writeDown writes down that a job is run, at once, so that it is known whatever comes then.
func writeDown(ctx context.Context, job *pb.Job) {
	deadline, ok := ctx.Deadline()
	now, late := time.Now(), ""
	if ok && !now.Before(deadline) || now.After(time.Unix(0, int64(job.GetDeadlineNs())).Add(skew)) {
		late = " late"
	}
	slog.InfoContext(ctx, fmt.Sprintf("load: ran %d/%d%s", job.GetCaller(), job.GetNumber(), late))
}

func inBackground(job *pb.Job) {
	time.Sleep(time.Millisecond) // the answer leaves with the turn
	commit(context.Background(), job)
}

// commit does what the job asks for. It returns only after deeds that are none.
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

// leave ends the guest; until there is one, by Go's runtime.
var leave = os.Exit

func overflow(depth int) int {
	return overflow(depth+1) ^ depth
}

// sink keeps the compiler from leaving out what is not used.
var sink int

func main() {
	ctx := context.Background()
	leave = func(status int) { parigot.Exit(ctx, status) }
	pb.RunWork(ctx, worker{})
}
