package abi

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"strings"
)

const (
	// HeaderBytes is the size of a frame's header.
	HeaderBytes = 64
	// NoDeadline is the deadline of a call without one.
	NoDeadline = math.MaxUint64
	// LaunchNumber is the number of a guest's reply to KindLaunched. Incoming calls are numbered
	// from 1.
	LaunchNumber = 0

	frameAlign = 8
)

// Flags of a frame. Readers reject other flags.
const (
	// FlagServiceError, on a reply: the status is a number of the service's error enum, not a
	// [Code].
	FlagServiceError uint16 = 1 << iota
	// FlagDescriptors, on a start: the host requests descriptors in the manifest.
	FlagDescriptors
	// FlagToCallee, on an item, a credit and an end: the frame travels from the caller of the call
	// to the callee.
	FlagToCallee
	// FlagDefaultDeadline, on an incoming call: the deadline is a default, not the caller's.
	FlagDefaultDeadline

	flagsKnown = FlagServiceError | FlagDescriptors | FlagToCallee | FlagDefaultDeadline
)

// Kind is the kind of a frame.
type Kind uint16

// The kinds of version 2.0. "In" is from the host to the guest, "out" from the guest to the host.
const (
	KindStart    Kind = iota + 1 // in, the first frame: see [Start]
	KindLaunched                 // in: required services are ready; payload: their handles
	KindCall                     // in and out: an rpc
	KindReply                    // in and out: the end of a call
	KindCancel                   // in and out: the caller no longer waits for the call
	KindStop                     // in: the guest must exit by the deadline
	KindManifest                 // out, the guest's first frame: see [Manifest]
	KindLaunch                   // out: the guest waits for KindLaunched
	KindLog                      // out: a log line; status is a [Level], number the call or NoCall
	KindExit                     // out, the last frame: exit status, and the reason as payload
	KindItem                     // in and out: a message of a stream; see [ReadStreamFrame]
	KindCredit                   // in and out: permission to send items; see [Credit]
	KindEnd                      // in and out: the caller sends no more items
	KindOpen                     // in and out: response headers, before the reply
)

var kindNames = [...]string{
	"", "Start", "Launched", "Call", "Reply", "Cancel", "Stop", "Manifest", "Launch", "Log", "Exit",
	"Item", "Credit", "End", "Open",
}

// Known reports whether this version knows the kind. Readers skip frames of other kinds.
func (k Kind) Known() bool { return k > 0 && int(k) < len(kindNames) }

func (k Kind) String() string {
	if !k.Known() {
		return fmt.Sprintf("Kind(%d)", uint16(k))
	}
	return kindNames[k]
}

// Level is the severity of a log line.
type Level uint32

// The levels, from the most to the least severe.
const (
	LevelError Level = iota + 1
	LevelWarn
	LevelInfo
	LevelDebug
	LevelTrace
)

var levelNames = [...]string{"", "Error", "Warn", "Info", "Debug", "Trace"}

func (l Level) String() string {
	if l == 0 || int(l) >= len(levelNames) {
		return fmt.Sprintf("Level(%d)", uint32(l))
	}
	return levelNames[l]
}

// Header is the fixed part of a frame, without the lengths.
type Header struct {
	Kind    Kind
	Flags   uint16
	Number  uint64 // number of the call
	Service uint32 // handle or index of the service
	Method  uint32 // index of the method
	Status  uint32 // code, error number, level or exit status
	// DeadlineNS is a time on the guest's monotonic clock in nanoseconds, or [NoDeadline].
	DeadlineNS uint64
	// ID is the wire form of an id: high and low half. On an outgoing call the low half is the
	// number of the inbound call on whose behalf the call is made, or 0.
	ID [2]uint64
}

// NewHeader returns a header of that kind with all other fields unset.
func NewHeader(kind Kind) Header { return Header{Kind: kind, DeadlineNS: NoDeadline} }

// Frame is a header and the three parts that follow it.
type Frame struct {
	Header
	Metadata []byte // keys and values: see [Frame.Pairs] and [AppendPair]
	Detail   []byte // detail of a failure: see [ReadDetail]
	Payload  []byte // the message
}

// Append appends the frame's bytes to out. If the frame would be 4 GiB or longer, it returns an
// error and out unchanged.
func (f *Frame) Append(out []byte) ([]byte, error) {
	return CloseFrame(append(f.OpenFrame(out), f.Payload...), len(out))
}

// OpenFrame appends the frame up to the payload. The caller then appends the payload and calls
// [CloseFrame].
func (f *Frame) OpenFrame(out []byte) []byte {
	le, start := binary.LittleEndian, len(out)
	out = append(out, make([]byte, HeaderBytes)...)
	head := (*[HeaderBytes]byte)(out[start:])
	le.PutUint16(head[:], uint16(f.Kind))
	le.PutUint16(head[2:], f.Flags)
	// CloseFrame writes the lengths of the frame and of its payload, at offsets 4 and 36.
	le.PutUint64(head[8:], f.Number)
	le.PutUint32(head[16:], f.Service)
	le.PutUint32(head[20:], f.Method)
	le.PutUint32(head[24:], f.Status)
	le.PutUint32(head[28:], uint32(len(f.Metadata)))
	le.PutUint32(head[32:], uint32(len(f.Detail)))
	le.PutUint64(head[40:], f.DeadlineNS)
	le.PutUint64(head[48:], f.ID[0])
	le.PutUint64(head[56:], f.ID[1])
	out = append(out, f.Metadata...)
	return append(out, f.Detail...)
}

// CloseFrame ends the frame that begins at start. Its payload extends to the end of out. If the
// frame would be 4 GiB or longer, CloseFrame returns an error and out without the frame.
func CloseFrame(out []byte, start int) ([]byte, error) {
	content := len(out) - start
	frame := (content + frameAlign - 1) / frameAlign * frameAlign
	if uint64(frame) > math.MaxUint32 {
		const text = "frame of %d bytes: a frame must be shorter than 4 GiB"
		return out[:start], fmt.Errorf(text, content)
	}
	var zeros [frameAlign]byte
	out = append(out, zeros[:frame-content]...)
	le, head := binary.LittleEndian, out[start:]
	metadata, detail := int(le.Uint32(head[28:])), int(le.Uint32(head[32:]))
	le.PutUint32(head[4:], uint32(frame))
	le.PutUint32(head[36:], uint32(content-HeaderBytes-metadata-detail))
	return out, nil
}

// Frames yields the consecutive frames in bytes. An error ends the sequence.
func Frames(bytes []byte) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		for at := 0; at < len(bytes); {
			frame, length, err := readFrame(bytes, at)
			if !yield(frame, err) || err != nil {
				return
			}
			at += length
		}
	}
}

// readFrame reads the frame at an offset, and returns the frame and its length.
func readFrame(bytes []byte, at int) (Frame, int, error) {
	rest := bytes[at:]
	if len(rest) < HeaderBytes {
		return Frame{}, 0, &MalformedError{at, "a header of 64 bytes"}
	}
	le, head := binary.LittleEndian, (*[HeaderBytes]byte)(rest)
	frame := Frame{Header: Header{
		Kind:       Kind(le.Uint16(head[:])),
		Flags:      le.Uint16(head[2:]),
		Number:     le.Uint64(head[8:]),
		Service:    le.Uint32(head[16:]),
		Method:     le.Uint32(head[20:]),
		Status:     le.Uint32(head[24:]),
		DeadlineNS: le.Uint64(head[40:]),
		ID:         [2]uint64{le.Uint64(head[48:]), le.Uint64(head[56:])},
	}}
	length := uint64(le.Uint32(head[4:]))
	metadata := uint64(le.Uint32(head[28:]))
	detail := uint64(le.Uint32(head[32:]))
	payload := uint64(le.Uint32(head[36:]))
	content := HeaderBytes + metadata + detail + payload
	switch {
	case frame.Flags&^flagsKnown != 0:
		return Frame{}, 0, &MalformedError{at + 2, "only flags of this version"}
	case length > uint64(len(rest)):
		return Frame{}, 0, &MalformedError{at + 4, "a length within the remaining bytes"}
	case (content+frameAlign-1)/frameAlign*frameAlign != length:
		return Frame{}, 0, &MalformedError{at + 4, "the sum of the frame's parts, padded to 8"}
	}
	for _, padding := range rest[content:length] {
		if padding != 0 {
			return Frame{}, 0, &MalformedError{at + int(content), "zeros up to the frame's end"}
		}
	}
	detailAt, payloadAt := HeaderBytes+metadata, HeaderBytes+metadata+detail
	frame.Metadata = rest[HeaderBytes:detailAt:detailAt]
	frame.Detail = rest[detailAt:payloadAt:payloadAt]
	frame.Payload = rest[payloadAt:content:content]
	return frame, int(length), nil
}

// Pair is a key and its value in a frame's metadata.
type Pair struct{ Key, Value string }

// AppendPair appends a key and its value to metadata.
func AppendPair(metadata []byte, key, value string) []byte {
	return appendString(appendString(metadata, key), value)
}

// ReservedKey reports whether only the host may set a metadata key: whether the key begins with
// parigot-, in any case.
func ReservedKey(key string) bool {
	const prefix = "parigot-"
	return len(key) >= len(prefix) && strings.EqualFold(key[:len(prefix)], prefix)
}

// Pairs reads the metadata. If an entry is malformed, it returns the entries before it and an
// error. Offsets count from the start of the frame.
func (f *Frame) Pairs() ([]Pair, error) {
	in := cursor{bytes: f.Metadata, base: HeaderBytes}
	var pairs []Pair
	for !in.atEnd() {
		pair := Pair{Key: in.string("a metadata key"), Value: in.string("a metadata value")}
		if in.err != nil {
			return pairs, in.err
		}
		pairs = append(pairs, pair)
	}
	return pairs, nil
}
