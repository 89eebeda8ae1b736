package parigottest

import (
	"sync"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// mailbox is an unbounded queue of frames, so put never blocks.
type mailbox struct {
	mu     sync.Mutex
	filled *sync.Cond
	frames []abi.Frame
	closed bool
}

func newMailbox() *mailbox {
	m := new(mailbox)
	m.filled = sync.NewCond(&m.mu)
	return m
}

func (m *mailbox) put(frame abi.Frame) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frames = append(m.frames, frame)
	m.filled.Signal()
}

// take waits for a frame and removes it. It returns false if the mailbox is closed.
func (m *mailbox) take() (abi.Frame, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.frames) == 0 && !m.closed {
		m.filled.Wait()
	}
	if m.closed {
		return abi.Frame{}, false
	}
	first := m.frames[0]
	m.frames = m.frames[1:]
	return first, true
}

func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.filled.Signal()
}
