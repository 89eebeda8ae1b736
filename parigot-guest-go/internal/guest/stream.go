package guest

import (
	"errors"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/lock"
	"google.golang.org/protobuf/proto"
)

// Stream holds the items of one call in both directions. A method that streams in one direction
// leaves the other direction unused.
//
// A stream closes when its call leaves the table of calls: at the caller with the reply or the
// cancellation, at the callee with the reply.
//
// The mutex guards the fields below it. Frames of the stream are sent under the mutex: no item
// without credit, behind the end, or behind the end of the call leaves the guest, whichever
// goroutine sends it. So a holder of the mutex may send a frame, but does not block.
type Stream struct {
	guest  *Guest
	in     *Inbound // the served call; nil for an outgoing call
	number uint64   // number of the call, if it is an outgoing one

	mu       lock.Mutex
	received itemQueue
	sending  sendCredit
	isOpen   bool     // at the callee: the headers are sent, or an item without headers
	failure  *Failure // at the callee: see [Stream.Fail]
}

// Errors of [Stream.Send].
var (
	ErrClosed   = errors.New("the stream is closed: its call has ended")
	ErrFinished = errors.New("the stream is closed: all items were sent")
)

// NewStream returns the stream of a call that is about to be sent.
func NewStream(g *Guest) *Stream { return newStream(g, nil) }

func newStream(g *Guest, in *Inbound) *Stream {
	return &Stream{
		guest:    g,
		in:       in,
		received: newItemQueue(),
		sending:  sendCredit{granted: abi.InitialCredit},
	}
}

// Begin sets the number of a call that was sent. The number is 0 if it was not; the stream of such
// a call is closed.
func (s *Stream) Begin(number uint64) {
	s.number = number
	if number == 0 {
		s.close()
	}
}

// Next takes the next item. It blocks until there is one, and returns false if none will arrive.
func (s *Stream) Next() (item []byte, ok bool) {
	s.guest.giveWay()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.received.isReady() {
		s.sendCredit(s.received.wait())
		s.wait(&s.received.changed, s.received.isReady)
	}
	if len(s.received.items) == 0 {
		return nil, false
	}
	item, credit, isDue := s.received.take()
	s.sendCredit(credit, isDue)
	return item, true
}

// IsComplete reports whether all requests of a served call have arrived, and none was dropped.
func (s *Stream) IsComplete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received.isComplete
}

// Send sends an item of that size in bytes. It blocks until the receiver has room. The caller has
// just called [proto.Size] on the item.
//
// Send returns [ErrClosed], [ErrFinished], or another error if the item cannot be encoded.
func (s *Stream) Send(item proto.Message, bytes int) error {
	s.guest.giveWay()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.sending.isReady() {
		s.wait(&s.sending.changed, s.sending.isReady)
	}
	switch {
	case s.sending.isClosed:
		return ErrClosed
	case s.sending.isFinished:
		return ErrFinished
	}
	if s.in != nil {
		s.open(false)
	}
	if err := s.guest.sendMessage(s.frame(abi.KindItem), item); err != nil {
		return err
	}
	s.sending.sent = s.sending.sent.WithItem(bytes)
	return nil
}

// wait unlocks the stream until a change is announced, or until the next turn.
func (s *Stream) wait(changed *changed, isReady func() bool) {
	s.mu.Unlock()
	hasTurned := s.guest.Idle()
	s.mu.Lock()
	// Another goroutine may have changed the stream meanwhile.
	if !hasTurned && !isReady() {
		next := changed.next()
		s.mu.Unlock()
		<-next
		s.mu.Lock()
	}
	if s.in != nil {
		s.in.ShowProgress()
	}
}

// Finish tells the callee that it has all requests.
func (s *Stream) Finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sending.isClosed && !s.sending.isFinished {
		s.guest.send(s.frame(abi.KindEnd))
	}
	s.sending.isFinished = true
	s.sending.changed.announce()
}

// Fail makes a served call fail for this reason, whatever its handler returns: a stream that lacks
// an item must not look complete. It reports false if the stream is closed already.
func (s *Stream) Fail(why *Failure) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sending.isClosed {
		return false
	}
	s.failure = why
	s.sending.close()
	return true
}

// Failure returns the reason set by [Stream.Fail], or nil.
func (s *Stream) Failure() *Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// Open sends the response headers of a served call now, also if there are none.
func (s *Stream) Open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sending.isClosed {
		s.open(true)
	}
}

// open sends the response headers, unless that was done; without headers only if always is true.
// The caller holds the mutex.
func (s *Stream) open(always bool) {
	if s.isOpen {
		return
	}
	s.isOpen = true
	if headers := s.in.takeHeaders(); always || len(headers) > 0 {
		frame := s.frame(abi.KindOpen)
		frame.Metadata = headers
		s.guest.send(frame)
	}
}

// hasOpened reports whether it is too late for response headers.
func (s *Stream) hasOpened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isOpen
}

// close closes the stream of a call that has ended. Items that have arrived can still be taken.
func (s *Stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending.close()
	s.received.end()
}

// discard closes the stream of a call that was cancelled, and drops the items that have arrived.
func (s *Stream) discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending.close()
	s.received.discard()
}

// take processes a frame that has arrived. The memory of the item may be reused.
func (s *Stream) take(frame *abi.StreamFrame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch frame.Kind {
	case abi.KindItem:
		s.received.push(frame.Item)
	case abi.KindCredit:
		s.sending.extend(frame.Credit)
	case abi.KindEnd:
		s.received.complete()
	}
}

// sendCredit extends the credit of the other side if that is due. The caller holds the mutex.
func (s *Stream) sendCredit(credit abi.Credit, isDue bool) {
	if isDue {
		frame := s.frame(abi.KindCredit)
		frame.Payload = credit.Append(nil)
		s.guest.send(frame)
	}
}

// frame returns a frame of the stream without content.
func (s *Stream) frame(kind abi.Kind) abi.Frame {
	frame := abi.Frame{Header: abi.NewHeader(kind)}
	if s.in != nil {
		frame.Number = s.in.number
	} else {
		frame.Number, frame.Flags = s.number, abi.FlagToCallee
	}
	return frame
}
