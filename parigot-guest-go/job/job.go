package job

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Defaults of [Config].
const (
	AtMostDefault  = 1024
	KeepingDefault = 5 * time.Minute
)

// Config is how many jobs there may be and how long their results are kept.
type Config struct {
	AtMost  int           // those counted whose results are kept; 0 is [AtMostDefault]
	Keeping time.Duration // from a job's end; 0 is [KeepingDefault]
}

// ID is an id of a user's own type: see package id.
type ID interface{ Key() [2]uint64 }

// Jobs are jobs with ids of type I and results of type T. Any goroutine may use them.
type Jobs[I ID, T any] struct {
	newID  func() I
	config Config

	mu      sync.Mutex
	entries map[[2]uint64]*entry[T] // by the keys of their ids
	ended   []*entry[T]             // by when they are forgotten; also some that are forgotten already
	sweeps  bool                    // a timer runs that forgets them
}

type entry[T any] struct {
	key    [2]uint64
	cancel context.CancelFunc
	ended  chan struct{}
	job    Job[T]
	until  time.Time // once it has ended
}

// State is how far a job is.
type State int

const (
	// Unknown is a job that there is not: there never was one of that id, it was cancelled, its result is forgotten, or the guest was made anew.
	Unknown State = iota
	// Running is a job that has not ended.
	Running
	// Done is a job that has ended, well or with an error. Whoever asks again before it is forgotten gets the same again, so an answer that was lost on
	// its way costs nothing.
	Done
)

func (s State) String() string { return [...]string{"Unknown", "Running", "Done"}[s] }

// Job is how far a job is, and once it is done, what it has come to.
type Job[T any] struct {
	State  State
	Result T
	Err    error
}

// TooManyError says that there are as many jobs as there may be, those counted whose results are kept.
type TooManyError struct{ AtMost int }

func (e TooManyError) Error() string {
	return fmt.Sprintf("there are %d jobs already, the most that there may be", e.AtMost)
}

// New returns no jobs yet, whose ids newID makes.
func New[T any, I ID](newID func() I, config Config) *Jobs[I, T] {
	if config.AtMost == 0 {
		config.AtMost = AtMostDefault
	}
	if config.Keeping == 0 {
		config.Keeping = KeepingDefault
	}
	return &Jobs[I, T]{newID: newID, config: config, entries: map[[2]uint64]*entry[T]{}}
}

// Start starts a job on a goroutine of its own, and returns its id at once. If there are too many it is a [TooManyError].
//
// The context that work gets has the values of ctx; it ends when the job is cancelled.
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
		result, err := work(ctx)
		j.end(started, Job[T]{Done, result, err})
	}()
	return id, nil
}

// Poll returns how far a job is.
func (j *Jobs[I, T]) Poll(id I) Job[T] {
	if found := j.find(id); found != nil {
		return j.read(found)
	}
	return Job[T]{}
}

// Wait returns how far a job is when it has ended, or when the context has.
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

// Cancel ends the context of a job's work, or forgets its result. It reports whether there was such a job, which nobody knows any more from now on.
//
// Work that does not look at its context goes on, since a goroutine cannot be stopped; what it comes to is dropped.
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

// end keeps what a job has come to, unless it was cancelled.
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

// forgetOld forgets results that were kept long enough. It is called under the lock.
func (j *Jobs[I, T]) forgetOld() {
	now := time.Now()
	for len(j.ended) > 0 && !now.Before(j.ended[0].until) {
		delete(j.entries, j.ended[0].key)
		j.ended[0] = nil
		j.ended = j.ended[1:]
	}
}

// keepSwept sees to it that results are forgotten when nobody asks any more. Without results there is no timer. It is called under the lock.
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
