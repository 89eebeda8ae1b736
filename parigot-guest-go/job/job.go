package job

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/goexit"
)

// Defaults of [Config].
const (
	AtMostDefault  = 1024
	KeepingDefault = 5 * time.Minute
)

// Config limits the number of jobs and the time for which results are kept.
type Config struct {
	AtMost  int           // limit on running jobs and kept results; 0 is [AtMostDefault]
	Keeping time.Duration // time for which a result is kept; 0 is [KeepingDefault]
}

// ID is an id of any type: see package id.
type ID interface{ Key() [2]uint64 }

// Jobs holds jobs with ids of type I and results of type T. Any goroutine may use it.
type Jobs[I ID, T any] struct {
	newID  func() I
	config Config

	mu      sync.Mutex
	entries map[[2]uint64]*entry[T] // by the key of the id
	ended   []*entry[T]             // ordered by until; may contain removed entries
	sweeps  bool                    // true while a timer for the removal of results runs
}

type entry[T any] struct {
	key    [2]uint64
	cancel context.CancelFunc
	ended  chan struct{}
	job    Job[T]
	until  time.Time // time of the removal, set when the job ends
}

// State is the state of a job.
type State int

const (
	// Unknown means that there is no such job: the id was never used, the job was cancelled, its
	// result was removed, or the guest was restarted.
	Unknown State = iota
	// Running means that the job has not ended.
	Running
	// Done means that the job has ended, with a result or an error. Further polls before the
	// removal return the same result, so the loss of a reply has no effect.
	Done
)

func (s State) String() string { return [...]string{"Unknown", "Running", "Done"}[s] }

// Job is the state of a job and, if the job is done, its result and error.
type Job[T any] struct {
	State  State
	Result T
	Err    error
}

// TooManyError is the error of a job above the limit. Jobs with kept results count.
type TooManyError struct{ AtMost int }

func (e TooManyError) Error() string {
	return fmt.Sprintf("%d jobs run, which is the limit", e.AtMost)
}

// ErrGoexit is the error of a job whose work has called [runtime.Goexit]. Fatal and FailNow of
// package testing call it.
var ErrGoexit = errors.New("job: the work called runtime.Goexit")

// New returns an empty set of jobs. The function newID creates their ids.
func New[T any, I ID](newID func() I, config Config) *Jobs[I, T] {
	if config.AtMost == 0 {
		config.AtMost = AtMostDefault
	}
	if config.Keeping == 0 {
		config.Keeping = KeepingDefault
	}
	return &Jobs[I, T]{newID: newID, config: config, entries: map[[2]uint64]*entry[T]{}}
}

// Start starts a job on its own goroutine, and returns the id immediately. If there are too many
// jobs, it returns a [TooManyError].
//
// The context of work has the values of ctx, and ends when the job is cancelled.
func (j *Jobs[I, T]) Start(ctx context.Context, work func(context.Context) (T, error)) (I, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forgetOld()
	if len(j.entries) >= j.config.AtMost {
		var none I
		return none, TooManyError{j.config.AtMost}
	}
	id := j.newID()
	started := &entry[T]{key: id.Key(), ended: make(chan struct{}), job: Job[T]{State: Running}}
	ctx, started.cancel = context.WithCancel(context.WithoutCancel(ctx))
	j.entries[started.key] = started
	go func() {
		defer func() {
			if goexit.InProgress() {
				j.end(started, Job[T]{State: Done, Err: ErrGoexit})
			}
		}()
		result, err := work(ctx)
		j.end(started, Job[T]{Done, result, err})
	}()
	return id, nil
}

// Poll returns the current state of a job.
func (j *Jobs[I, T]) Poll(id I) Job[T] {
	if found := j.find(id); found != nil {
		return j.read(found)
	}
	return Job[T]{}
}

// Wait blocks until the job or the context has ended, and returns the state of the job.
func (j *Jobs[I, T]) Wait(ctx context.Context, id I) Job[T] {
	found := j.find(id)
	if found == nil {
		return Job[T]{}
	}
	select {
	case <-found.ended:
	case <-ctx.Done():
	}
	return j.read(found)
}

// Cancel ends the context of a running job, or removes a kept result. It reports whether there was
// such a job. Afterwards the id is unknown.
//
// Work that ignores its context continues, since a goroutine cannot be stopped. Its result is
// dropped.
func (j *Jobs[I, T]) Cancel(id I) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	found := j.entries[id.Key()]
	if found == nil {
		return false
	}
	delete(j.entries, found.key)
	found.cancel()
	if found.job.State == Running {
		close(found.ended)
	}
	found.job = Job[T]{}
	return true
}

func (j *Jobs[I, T]) find(id I) *entry[T] {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forgetOld()
	return j.entries[id.Key()]
}

func (j *Jobs[I, T]) read(found *entry[T]) Job[T] {
	j.mu.Lock()
	defer j.mu.Unlock()
	return found.job
}

// end keeps the result of a job, unless the job was cancelled.
func (j *Jobs[I, T]) end(ended *entry[T], job Job[T]) {
	j.mu.Lock()
	defer j.mu.Unlock()
	ended.cancel()
	if j.entries[ended.key] != ended {
		return
	}
	ended.job = job
	ended.until = time.Now().Add(j.config.Keeping)
	close(ended.ended)
	j.ended = append(j.ended, ended)
	j.keepSwept()
}

// forgetOld removes results whose time is over. The caller holds the mutex.
func (j *Jobs[I, T]) forgetOld() {
	now := time.Now()
	for len(j.ended) > 0 && !now.Before(j.ended[0].until) {
		delete(j.entries, j.ended[0].key)
		j.ended[0] = nil
		j.ended = j.ended[1:]
	}
}

// keepSwept starts a timer for the removal of the oldest result, so that results are removed
// without further polls. Without results there is no timer. The caller holds the mutex.
func (j *Jobs[I, T]) keepSwept() {
	if j.sweeps || len(j.ended) == 0 {
		return
	}
	j.sweeps = true
	time.AfterFunc(time.Until(j.ended[0].until), func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.sweeps = false
		j.forgetOld()
		j.keepSwept()
	})
}
