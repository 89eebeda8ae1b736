package abi

import (
	"bytes"
	"encoding/binary"
)

// PrologueBytes is the size of a [Prologue].
const PrologueBytes = 16

// Prologue is the start of every inbox: the time of the turn. The clock does not advance in a turn.
type Prologue struct {
	MonotonicNS uint64 // nanoseconds since the guest's start; never decreases
	WallNS      uint64 // nanoseconds since 1970-01-01 00:00 UTC
}

// SplitPrologue splits an inbox into its prologue and its frames.
func SplitPrologue(inbox []byte) (Prologue, []byte, error) {
	if len(inbox) < PrologueBytes {
		return Prologue{}, nil, &MalformedError{len(inbox) / 8 * 8, "a prologue of 16 bytes"}
	}
	le := binary.LittleEndian
	prologue := Prologue{MonotonicNS: le.Uint64(inbox), WallNS: le.Uint64(inbox[8:])}
	return prologue, inbox[PrologueBytes:], nil
}

// Append appends the prologue's bytes to out.
func (p Prologue) Append(out []byte) []byte {
	out = binary.LittleEndian.AppendUint64(out, p.MonotonicNS)
	return binary.LittleEndian.AppendUint64(out, p.WallNS)
}

// Start holds the parameters of a guest's start.
type Start struct {
	Host            Version   // the host's version of the ABI
	MessageBytesMax uint32    // limit on payloads, in bytes
	Seed            [32]byte  // seed of the guest's random numbers
	Instance        [2]uint64 // id of the instance, in its wire form
	Descriptors     bool      // true if the manifest must include descriptors
	Settings        []Setting // unknown keys are kept
	Args            []string
	Env             []Pair // environment, in the host's order
}

// Setting is a parameter of a guest's start that later versions define. This version knows no keys.
type Setting struct {
	Key   uint16
	Value []byte
}

// ReadStart reads the parameters from their frame. Offsets count from the start of the frame.
func ReadStart(f *Frame) (Start, error) {
	env, err := f.Pairs()
	if err != nil {
		return Start{}, err
	}
	in := cursor{bytes: f.Payload, base: HeaderBytes + len(f.Metadata) + len(f.Detail)}
	start := Start{
		Host:            UnpackVersion(in.uint32("the host's version")),
		MessageBytesMax: in.uint32("the largest payload"),
		Instance:        f.ID,
		Descriptors:     f.Flags&FlagDescriptors != 0,
		Env:             env,
	}
	copy(start.Seed[:], in.take(len(start.Seed), "a seed of 32 bytes"))
	// Memory grows with the settings in the input, not with the announced count.
	count := in.uint32("how many settings there are")
	for ; count > 0 && in.err == nil; count-- {
		key := in.uint16("a setting's key")
		value := bytes.Clone(in.counted("a setting's value"))
		start.Settings = append(start.Settings, Setting{key, value})
	}
	for !in.atEnd() {
		start.Args = append(start.Args, in.string("an argument"))
	}
	return start, in.err
}

// Frame returns the start frame.
func (s *Start) Frame() Frame {
	frame := Frame{Header: NewHeader(KindStart)}
	frame.ID = s.Instance
	if s.Descriptors {
		frame.Flags |= FlagDescriptors
	}
	for _, pair := range s.Env {
		frame.Metadata = AppendPair(frame.Metadata, pair.Key, pair.Value)
	}
	payload := binary.LittleEndian.AppendUint32(nil, s.Host.Packed())
	payload = binary.LittleEndian.AppendUint32(payload, s.MessageBytesMax)
	payload = append(payload, s.Seed[:]...)
	payload = binary.LittleEndian.AppendUint32(payload, uint32(len(s.Settings)))
	for _, setting := range s.Settings {
		payload = binary.LittleEndian.AppendUint16(payload, setting.Key)
		payload = appendBytes(payload, setting.Value)
	}
	for _, arg := range s.Args {
		payload = appendString(payload, arg)
	}
	frame.Payload = payload
	return frame
}
