package parigottest

import "sync"

// event is a notification that is sent at most once.
type event struct {
	once     *sync.Once
	happened chan struct{}
}

func newEvent() event { return event{new(sync.Once), make(chan struct{})} }

func (e event) happen() { e.once.Do(func() { close(e.happened) }) }

func (e event) await() { <-e.happened }
