package wasip1

import (
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/lock"
	"google.golang.org/protobuf/proto"
)

// outboxBytesKept is how large an outbox may be that is used again; memory of wasm is never given back.
const outboxBytesKept = 1 << 20

// outbox is the frames that a turn leaves for the host.
type outbox struct {
	mu     lock.Mutex
	frames []byte
}

// clear empties it, for the host has read it, and has said so in the control block.
func (o *outbox) clear() {
	o.mu.Lock()
	o.frames = o.frames[:0]
	if cap(o.frames) > outboxBytesKept {
		o.frames = nil
	}
	o.mu.Unlock()
}

// Send appends a frame and then tells the host of it.
func (o *outbox) Send(frame abi.Frame, message proto.Message) (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	start := len(o.frames)
	frames := frame.OpenFrame(o.frames)
	if message == nil {
		frames = append(frames, frame.Payload...)
	} else if frames, err = (proto.MarshalOptions{UseCachedSize: true}).MarshalAppend(frames, message); err != nil {
		return err
	}
	frames, err = abi.CloseFrame(frames, start)
	o.frames = frames
	if len(frames) > 0 {
		control.SetOutbox(address(&frames[0]), uint64(len(frames)))
	}
	return err
}

// Progress says what is being served.
func (o *outbox) Progress(call uint64, service, method uint32) {
	control.SetProgress(call, service, method)
}
