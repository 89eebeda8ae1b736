package wasip1

import (
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/lock"
	"google.golang.org/protobuf/proto"
)

// outboxBytesKept is the largest capacity of an outbox that is reused, in bytes. A larger outbox is
// freed for the garbage collector, since a wasm memory never shrinks.
const outboxBytesKept = 1 << 20

// withCachedSize reuses the size of a message, which the caller of Send has just computed.
var withCachedSize = proto.MarshalOptions{UseCachedSize: true}

// outbox holds the frames of a turn for the host.
type outbox struct {
	mu     lock.Mutex
	frames []byte
}

// clear empties the outbox. The host has read the frames, and has set their length in the control
// block to 0.
func (o *outbox) clear() {
	o.mu.Lock()
	o.frames = o.frames[:0]
	if cap(o.frames) > outboxBytesKept {
		o.frames = nil
	}
	o.mu.Unlock()
}

// Send appends a frame, and then announces the new length in the control block.
func (o *outbox) Send(frame abi.Frame, message proto.Message) (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	start := len(o.frames)
	frames := frame.OpenFrame(o.frames)
	if message == nil {
		frames = append(frames, frame.Payload...)
	} else if frames, err = withCachedSize.MarshalAppend(frames, message); err != nil {
		return err
	}
	frames, err = abi.CloseFrame(frames, start)
	o.frames = frames
	if len(frames) > 0 {
		control.SetOutbox(address(&frames[0]), uint64(len(frames)))
	}
	return err
}

// Begin reports that the handler of a call is about to run.
func (o *outbox) Begin(call uint64) { control.SetBegun(call) }

// Progress reports the call that is served from now on.
func (o *outbox) Progress(call uint64, service, method uint32) {
	control.SetProgress(call, service, method)
}
