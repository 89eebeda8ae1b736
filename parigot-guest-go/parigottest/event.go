package parigottest

import "sync"

// event is something that happens once.
type event struct {
	once     *sync.Once
	happened chan struct{}
}

func newEvent() event { return event{new(sync.Once), make(chan struct{})} }

func (e event) happen() { e.once.Do(func() { close(e.happened) }) }

func (e event) await() { <-e.happened }
