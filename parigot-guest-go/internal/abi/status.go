package abi

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Code is a status code of gRPC, with its number and meaning.
type Code uint32

// The codes: see https://grpc.io/docs/guides/status-codes/.
const (
	OK Code = iota
	Canceled
	Unknown
	InvalidArgument
	DeadlineExceeded
	NotFound
	AlreadyExists
	PermissionDenied
	ResourceExhausted
	FailedPrecondition
	Aborted
	OutOfRange
	Unimplemented
	Internal
	Unavailable
	DataLoss
	Unauthenticated
)

var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
	"OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

func (c Code) String() string {
	if int(c) >= len(codeNames) {
		return fmt.Sprintf("Code(%d)", uint32(c))
	}
	return codeNames[c]
}

// Cause is the reason why a call ended without a response.
type Cause uint32

// The causes of version 2.0.
const (
	CauseUnspecified Cause = iota
	CauseTimedOut
	CauseCalleeExited
	CauseCalleeKilled
	CauseCalleeTrapped
	CauseUnreachable
	CauseCanceled
	CauseTooLarge
	CauseOverloaded
	CauseUndecodable
	CauseNoSuchMethod
	CauseAnswered
	CauseAnswerLost
	CauseExpired
)

var causeNames = [...]string{
	"unspecified", "timed out", "callee exited", "callee killed", "callee trapped", "unreachable",
	"cancelled", "too large", "overloaded", "undecodable", "no such method", "answered",
	"answer lost", "expired",
}

func (c Cause) String() string {
	if int(c) >= len(causeNames) {
		return fmt.Sprintf("Cause(%d)", uint32(c))
	}
	return causeNames[c]
}

// Fate is the knowledge about the effects of a failed call.
type Fate uint8

// The fates. Every failure has exactly one.
const (
	FateUnknown  Fate = iota // the call may have run
	FateRefused              // the call did not run and never will
	FateAnswered             // the service answered
)

var fateNames = [...]string{"unknown", "refused", "answered"}

func (f Fate) String() string {
	if int(f) >= len(fateNames) {
		return fmt.Sprintf("Fate(%d)", uint8(f))
	}
	return fateNames[f]
}

// Fate returns the fate of a call that failed for this cause.
func (c Cause) Fate() Fate {
	switch c {
	case CauseAnswered:
		return FateAnswered
	case CauseUnreachable, CauseTooLarge, CauseOverloaded, CauseUndecodable, CauseNoSuchMethod,
		CauseExpired:
		return FateRefused
	}
	return FateUnknown
}

// DetailBytesMax is the limit on a [Detail] in its wire form, in bytes. A detail travels in HTTP
// headers, where many proxies have this limit.
const DetailBytesMax = 8 << 10

// detailBytesMin is the size of a detail without text and without details for programs.
const detailBytesMin = 4 + 16 + 4 + 4

// Detail is the detail of a failed reply.
type Detail struct {
	// Cause is the cause; numbers unknown to this version are read as CauseUnspecified.
	Cause    Cause
	Instance [2]uint64     // id of the callee's instance, in its wire form; set by the host
	Message  string        // message for people
	Details  []ErrorDetail // messages for programs
}

// ErrorDetail is a message that describes an error to programs.
type ErrorDetail struct {
	Type  string // full name of the message's type, google.rpc.ErrorInfo
	Value []byte // the message in its wire form
}

// ReadDetail reads a detail. Every input gives a detail, so that a failure stays readable: a part
// that is missing is empty, a text that is cut off is read as far as it goes, and invalid UTF-8 is
// replaced. The list ends before the first entry that is cut off.
//
// The detail does not refer to the bytes.
func ReadDetail(bytes []byte) Detail {
	le := binary.LittleEndian
	var detail Detail
	if field := cutFront(&bytes, 4); field != nil {
		detail.Cause = Cause(le.Uint32(field))
	}
	if int(detail.Cause) >= len(causeNames) {
		detail.Cause = CauseUnspecified
	}
	if field := cutFront(&bytes, 16); field != nil {
		detail.Instance = [2]uint64{le.Uint64(field), le.Uint64(field[8:])}
	}
	if field := cutFront(&bytes, 4); field != nil {
		text := cutFront(&bytes, min(int(le.Uint32(field)), len(bytes)))
		detail.Message = toValid(text)
	}
	field := cutFront(&bytes, 4)
	if field == nil {
		return detail
	}
	// Memory grows with the entries in the input, not with the announced count.
	in := cursor{bytes: bytes}
	for count := le.Uint32(field); count > 0; count-- {
		name := in.counted("a type name")
		value := in.counted("a message")
		if in.err != nil {
			break
		}
		entry := ErrorDetail{Type: toValid(name), Value: slices.Clone(value)}
		detail.Details = append(detail.Details, entry)
	}
	return detail
}

// cutFront removes the first count bytes. If there are fewer, it removes all and returns nil.
func cutFront(bytes *[]byte, count int) []byte {
	if count > len(*bytes) {
		*bytes = nil
		return nil
	}
	front := (*bytes)[:count]
	*bytes = (*bytes)[count:]
	return front
}

func toValid(text []byte) string { return strings.ToValidUTF8(string(text), "\uFFFD") }

// Append appends the detail's bytes to out. A detail longer than [DetailBytesMax] is shortened: it
// keeps the first entries that fit, and then as much of the text as fits.
func (d Detail) Append(out []byte) []byte {
	room := DetailBytesMax - detailBytesMin
	fitting := 0
	for _, entry := range d.Details {
		if room -= 8 + len(entry.Type) + len(entry.Value); room < 0 {
			room += 8 + len(entry.Type) + len(entry.Value)
			break
		}
		fitting++
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(d.Cause))
	out = binary.LittleEndian.AppendUint64(out, d.Instance[0])
	out = binary.LittleEndian.AppendUint64(out, d.Instance[1])
	out = appendString(out, cutText(d.Message, room))
	out = binary.LittleEndian.AppendUint32(out, uint32(fitting))
	for _, entry := range d.Details[:fitting] {
		out = appendBytes(appendString(out, entry.Type), entry.Value)
	}
	return out
}

// cutText truncates a text to at most that many bytes, at a character's boundary.
func cutText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}
