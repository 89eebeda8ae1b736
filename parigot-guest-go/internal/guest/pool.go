package guest

import (
	"runtime"

	"github.com/parigot/parigot/parigot-guest-go/internal/goexit"
	"github.com/parigot/parigot/parigot-guest-go/internal/lock"
)

// idleMax is the largest number of parked workers; surplus workers end after their tasks.
const idleMax = 64

// Pool runs tasks on goroutines, its workers. A task may block.
//
// Tasks start in order. A worker that has finished a task takes the next one. As long as tasks
// wait, the pool also wakes another worker, which runs when the first one blocks. Thus tasks that
// do not block need no switch between goroutines.
//
// # States of a worker
//
// The usual path is woken -> running -> idle -> parked -> woken.
//
//	state           event                          next state
//	woken           takes a task                   running
//	running         takes a task                   running
//	idle            takes a task                   running
//	woken, running  no task, EndTurn ends the turn woken (in the next turn)
//	woken, running  no task, EndTurn declines      idle
//	woken, running  no task, no EndTurn            parked
//	idle            no task                        parked
//	parked          wakeOne                        woken
//
// Instead of parking, a worker ends if enough others are parked, or if the pool is closed. A
// running worker also ends if its task ends the goroutine. The waiting tasks have another worker
// then, since the pool wakes one for every task behind a running one.
//
// EndTurn saves a switch to the goroutine that otherwise ends the turn. If EndTurn declines, other
// goroutines can run and may add tasks. The field waking is set meanwhile, so that wakeOne wakes no
// other worker for them. Therefore an idle worker looks for a task once more before it parks.
type Pool struct {
	// MayBegin reports whether another task may start in this turn: see [Pool.Resume]. If MayBegin
	// is nil, every task may start.
	MayBegin func() bool
	// EndTurn ends the turn if no other goroutine can run, and then returns true in the next turn.
	// If another goroutine can run, it returns false. If EndTurn is nil, the pool has no turns.
	EndTurn func() bool

	mu     lock.Mutex
	tasks  []task
	begun  int             // number of started tasks at the front of tasks
	idle   []chan struct{} // parked workers; a worker parks until it receives from its channel
	waking bool            // a worker is about to look for a task
	closed bool
}

// task is a unit of work of a pool.
type task interface{ run() }

type function func()

func (f function) run() { f() }

// interruptible is a task that ends in a defined way if [task.run] does not return.
type interruptible interface {
	task
	// exit replaces the rest of run after [runtime.Goexit].
	exit()
	// panics is called before the runtime reports a panic in run and ends the program.
	panics()
}

// Do adds a task, which runs after the tasks added before.
func (p *Pool) Do(task func()) { p.do(function(task)) }

func (p *Pool) do(task task) {
	p.mu.Lock()
	p.tasks = append(p.tasks, task)
	p.wakeOne()
	p.mu.Unlock()
}

// Yield returns after all waiting tasks have started. If no more tasks may start in this turn,
// Yield returns in another turn.
func (p *Pool) Yield() {
	resumed := make(chan struct{})
	p.Do(func() {
		close(resumed)
		// Otherwise this worker would continue with the tasks added later, before the goroutine
		// that yielded runs.
		runtime.Gosched()
	})
	<-resumed
}

// Resume starts tasks that were not allowed to start in an earlier turn.
func (p *Pool) Resume() {
	p.mu.Lock()
	if p.begun < len(p.tasks) {
		p.wakeOne()
	}
	p.mu.Unlock()
}

// Close ends the parked workers, and the other workers after their tasks.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, wake := range p.idle {
		wake <- struct{}{}
	}
	p.idle = nil
}

// Waiting reports whether tasks wait to start.
func (p *Pool) Waiting() bool {
	p.mu.Lock()
	waiting := p.begun < len(p.tasks)
	p.mu.Unlock()
	return waiting
}

// idling returns the number of parked workers.
func (p *Pool) idling() int {
	p.mu.Lock()
	idling := len(p.idle)
	p.mu.Unlock()
	return idling
}

// wakeOne wakes a worker, or starts one, unless a worker is about to look for a task. The caller
// holds the mutex.
func (p *Pool) wakeOne() {
	if p.waking {
		return
	}
	p.waking = true
	if last := len(p.idle) - 1; last >= 0 {
		wake := p.idle[last]
		p.idle = p.idle[:last]
		wake <- struct{}{} // never blocks: the channel has room for one value
		return
	}
	go p.work()
}

// workerState is the state of a worker that looks for a task: see [Pool]. The fourth state, parked,
// is the receive from the worker's channel.
type workerState uint8

const (
	running workerState = iota // has just run a task
	woken                      // the pool's field waking is set for this worker
	idle                       // as woken; EndTurn has declined
)

// work runs tasks as long as there are any, or as long as the pool keeps this worker for more.
func (p *Pool) work() {
	wake := make(chan struct{}, 1)
	state := woken
	var current task // nil while no task runs
	defer func() { interrupt(current) }()
	for {
		p.mu.Lock()
		if state != running {
			p.waking = false
		}
		task := p.next()
		switch {
		case task != nil:
			p.mu.Unlock()
			current = task
			task.run()
			current = nil
			state = running
		case p.EndTurn != nil && state != idle:
			// This worker looks for a task after EndTurn, so wakeOne need not wake another.
			p.waking = true
			p.mu.Unlock()
			state = idle
			if p.EndTurn() {
				state = woken
			}
		case len(p.idle) >= idleMax || p.closed:
			p.mu.Unlock()
			return
		default:
			p.idle = append(p.idle, wake)
			p.mu.Unlock()
			<-wake
			state = woken
		}
	}
}

// interrupt ends a task that has not returned. It runs deferred on the goroutine of the task; the
// task is nil if the worker has ended between two tasks.
func interrupt(task task) {
	switch task, ok := task.(interruptible); {
	case !ok:
	case goexit.InProgress():
		task.exit()
	default:
		task.panics()
	}
}

// next takes the first waiting task, if the task may start, and wakes a worker for the tasks behind
// it. The caller holds the mutex.
func (p *Pool) next() task {
	if p.begun == len(p.tasks) || p.MayBegin != nil && !p.MayBegin() {
		return nil
	}
	task := p.tasks[p.begun]
	p.tasks[p.begun] = nil
	p.begun++
	if p.begun == len(p.tasks) {
		p.tasks, p.begun = p.tasks[:0], 0
	} else {
		p.wakeOne()
	}
	return task
}
