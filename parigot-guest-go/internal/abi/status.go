package abi

import (
	"encoding/binary"
	"fmt"
	"strings"
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

// The causes of version 1.0.
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
)

var causeNames = [...]string{
	"unspecified", "timed out", "callee exited", "callee killed", "callee trapped", "unreachable",
	"cancelled", "too large", "overloaded", "undecodable", "no such method", "answered",
	"answer lost",
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
	case CauseUnreachable, CauseTooLarge, CauseOverloaded, CauseUndecodable, CauseNoSuchMethod:
		return FateRefused
	}
	return FateUnknown
}

// Detail is the detail of a failed reply.
type Detail struct {
	// Cause is the cause; numbers unknown to this version are read as CauseUnspecified.
	Cause    Cause
	Instance [2]uint64 // id of the callee's instance, in its wire form; set by the host
	Message  string    // message for people
}

// ReadDetail reads a detail. Every input gives a detail, so that a failure stays readable: a part
// that is too short is empty, and invalid UTF-8 is replaced.
func ReadDetail(bytes []byte) Detail {
	if len(bytes) < 4 {
		return Detail{}
	}
	cause := Cause(binary.LittleEndian.Uint32(bytes))
	if int(cause) >= len(causeNames) {
		cause = CauseUnspecified
	}
	detail := Detail{Cause: cause}
	if rest := bytes[4:]; len(rest) >= 16 {
		le := binary.LittleEndian
		detail.Instance = [2]uint64{le.Uint64(rest), le.Uint64(rest[8:])}
		detail.Message = strings.ToValidUTF8(string(rest[16:]), "\uFFFD")
	}
	return detail
}

// Append appends the detail's bytes to out.
func (d Detail) Append(out []byte) []byte {
	out = binary.LittleEndian.AppendUint32(out, uint32(d.Cause))
	out = binary.LittleEndian.AppendUint64(out, d.Instance[0])
	out = binary.LittleEndian.AppendUint64(out, d.Instance[1])
	return append(out, d.Message...)
}
