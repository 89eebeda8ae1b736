package abi

import "encoding/binary"

// Credit is a number of items and of their payload bytes since a call began. The crate parigot-abi
// specifies its use.
type Credit struct{ Items, Bytes uint64 }

// InitialCredit is the credit of each stream when its call begins: 4 items and 4 KiB.
var InitialCredit = Credit{Items: 4, Bytes: 4 << 10}

// WindowMax is the largest window of a stream: 256 items and 1 MiB.
var WindowMax = Credit{Items: 256, Bytes: 1 << 20}

const creditBytes = 16

// ReadCredit reads the payload of a frame of the kind [KindCredit].
func ReadCredit(payload []byte) (Credit, error) {
	in := cursor{bytes: payload}
	credit := Credit{Items: in.uint64("a number of items"), Bytes: in.uint64("a number of bytes")}
	return credit, in.end()
}

// Append appends the wire form to out.
func (c Credit) Append(out []byte) []byte {
	le := binary.LittleEndian
	return le.AppendUint64(le.AppendUint64(out, c.Items), c.Bytes)
}

// Permits reports whether a sender with this credit may send an item after it has sent sent.
func (c Credit) Permits(sent Credit) bool {
	return sent.Items < c.Items && sent.Bytes < c.Bytes
}

// WithItem returns the numbers with one more item of that size, in bytes.
func (c Credit) WithItem(bytes int) Credit {
	return Credit{Items: c.Items + 1, Bytes: c.Bytes + uint64(bytes)}
}

// Max returns the higher number of items and the higher number of bytes.
func (c Credit) Max(other Credit) Credit {
	return Credit{Items: max(c.Items, other.Items), Bytes: max(c.Bytes, other.Bytes)}
}

// StreamFrame is a frame that only streams have, checked.
type StreamFrame struct {
	Kind     Kind   // KindItem, KindCredit or KindEnd
	Number   uint64 // number of the call
	ToCallee bool   // the frame travels from the caller to the callee
	Item     []byte // the message of an item
	Credit   Credit // of a frame of the kind KindCredit
}

// ReadStreamFrame reads a frame of the kind [KindItem], [KindCredit] or [KindEnd]. It returns an
// error if the kind is another one, or if the frame has parts that its kind has not. Offsets count
// from the start of the frame.
func ReadStreamFrame(frame *Frame) (StreamFrame, error) {
	read := StreamFrame{
		Kind:     frame.Kind,
		Number:   frame.Number,
		ToCallee: frame.Flags&FlagToCallee != 0,
	}
	switch {
	case frame.Kind != KindItem && frame.Kind != KindCredit && frame.Kind != KindEnd:
		return read, &MalformedError{0, "an item, a credit or an end"}
	case frame.Kind == KindCredit && len(frame.Payload) != creditBytes:
		return read, &MalformedError{36, "a credit of 16 bytes"}
	case frame.Kind == KindEnd && !read.ToCallee:
		return read, &MalformedError{2, "an end that travels to the callee"}
	case frame.Kind == KindEnd && len(frame.Payload) != 0:
		return read, &MalformedError{36, "an end without a payload"}
	case len(frame.Metadata) != 0:
		return read, &MalformedError{28, "no metadata in a stream"}
	case len(frame.Detail) != 0:
		return read, &MalformedError{32, "no detail in a stream"}
	}
	var err error
	switch frame.Kind {
	case KindItem:
		read.Item = frame.Payload
	case KindCredit:
		read.Credit, err = ReadCredit(frame.Payload)
	}
	return read, err
}
