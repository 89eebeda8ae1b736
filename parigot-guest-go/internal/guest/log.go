package guest

import (
	"context"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// Line is a line for the log.
type Line struct {
	Level  abi.Level
	Text   string
	Fields []byte // metadata: names, and values in JSON
}

// EarlyLog takes the log frames of a guest that cannot send them yet, since its first frame is the
// manifest. They are lost if EarlyLog is nil and the process has no guest.
var EarlyLog func(abi.Frame)

// earlyBytesMax is the limit on the content of a frame for EarlyLog, in bytes.
const earlyBytesMax = 32 << 10

// Log adds a line to the log of the guest that the context belongs to. The line belongs to the
// inbound call of the context, if there is one.
func Log(ctx context.Context, line Line) error {
	g, err := Of(ctx)
	if err != nil && EarlyLog != nil {
		EarlyLog(line.frame(abi.NoCall, earlyBytesMax))
		return nil
	}
	if err != nil {
		return err
	}
	call := uint64(abi.NoCall)
	if in := InboundOf(ctx); in != nil {
		call = in.Number()
	}
	g.logLine(call, line)
	return nil
}

// Log adds a line to the log. The line belongs to that inbound call, or to none: [abi.NoCall].
func (g *Guest) Log(level abi.Level, call uint64, text string) {
	g.logLine(call, Line{Level: level, Text: text})
}

func (g *Guest) logLine(call uint64, line Line) {
	if EarlyLog != nil && !g.Declared() {
		EarlyLog(line.frame(call, earlyBytesMax))
		return
	}
	g.send(line.frame(call, g.MessageBytesMax()))
}

// frame returns the log frame of a line with at most most bytes of content. Fields that do not fit
// are left out, since a part of them could not be read.
func (l *Line) frame(call uint64, most int) abi.Frame {
	frame := abi.Frame{Header: abi.NewHeader(abi.KindLog)}
	frame.Number, frame.Status = call, uint32(l.Level)
	frame.Payload = []byte(l.Text[:min(len(l.Text), most)])
	if len(l.Fields) <= most-len(frame.Payload) {
		frame.Metadata = l.Fields
	}
	return frame
}
