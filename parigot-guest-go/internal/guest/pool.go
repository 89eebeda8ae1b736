package guest

import (
	"runtime"

	"github.com/parigot/parigot/parigot-guest-go/internal/lock"
)

// idleMax is how many goroutines wait for work; more end when they have done theirs.
const idleMax = 64

// Pool runs tasks on goroutines, which may block.
//
// Tasks begin in their order. A goroutine that has finished one takes the next, and another goroutine is woken as long as tasks wait: it gets
// to run when the first blocks. So tasks that do not block cost no switch between goroutines.
type Pool struct {
	// MayBegin, if it is not nil, says whether another task may begin in this turn: see [Pool.Resume].
	MayBegin func() bool
	// EndTurn, if it is not nil, ends the turn if the caller is the last who can run, and returns in the next one. It reports whether it did.
	EndTurn func() bool

	mu     lock.Mutex
	tasks  []task
	begun  int // how many of tasks have begun
	idle   []chan struct{}
	waking bool // a goroutine was woken and has not taken a task yet
	closed bool
}

// task is what a pool runs.
type task interface{ run() }

type function func()

func (f function) run() { f() }

// Do runs a task soon.
func (p *Pool) Do(task func()) { p.do(function(task)) }

func (p *Pool) do(task task) {
	p.mu.Lock()
	p.tasks = append(p.tasks, task)
	p.wakeOne()
	p.mu.Unlock()
}

// Yield lets those tasks begin that wait by now. If none may begin any more it returns in another turn.
func (p *Pool) Yield() {
	resumed := make(chan struct{})
	p.Do(func() {
		close(resumed)
		runtime.Gosched() // or whoever has yielded would run after all those behind it
	})
	<-resumed
}

// Resume goes on with tasks that were not allowed to begin.
func (p *Pool) Resume() {
	p.mu.Lock()
	if p.begun < len(p.tasks) {
		p.wakeOne()
	}
	p.mu.Unlock()
}

// Close ends the goroutines that wait for work, and the others when they have done theirs.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, wake := range p.idle {
		wake <- struct{}{}
	}
	p.idle = nil
}

// Waiting reports whether tasks wait to begin.
func (p *Pool) Waiting() bool {
	p.mu.Lock()
	waiting := p.begun < len(p.tasks)
	p.mu.Unlock()
	return waiting
}

// idling returns how many goroutines wait for work.
func (p *Pool) idling() int {
	p.mu.Lock()
	idling := len(p.idle)
	p.mu.Unlock()
	return idling
}

// wakeOne sees to it that a goroutine looks for a task.
func (p *Pool) wakeOne() {
	if p.waking {
		return
	}
	p.waking = true
	if last := len(p.idle) - 1; last >= 0 {
		wake := p.idle[last]
		p.idle = p.idle[:last]
		wake <- struct{}{}
		return
	}
	go p.work()
}

// workerState is the state of a worker that looks for a task: see the diagram at [Pool].
type workerState uint8

const (
	running workerState = iota // has just run a task
	woken                      // pool.waking is set for this worker
	idle                       // as woken, and could not end the turn
)

// work runs tasks as long as there are any, or as long as the pool keeps this worker for more.
func (p *Pool) work() {
	wake := make(chan struct{}, 1)
	state := woken
	for {
		p.mu.Lock()
		if state != running {
			p.waking = false
		}
		task := p.next()
		switch {
		case task != nil:
			p.mu.Unlock()
			task.run()
			state = running
		case p.EndTurn != nil && state != idle:
			// This worker looks for tasks next, so wakeOne need not wake another.
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

// next takes the first task that waits, if it may begin, and wakes a goroutine for those behind it.
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
