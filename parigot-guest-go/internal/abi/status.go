package abi

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Code is one of the codes of gRPC, with its number and meaning.
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
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
	"DATA_LOSS", "UNAUTHENTICATED",
}

func (c Code) String() string {
	if int(c) >= len(codeNames) {
		return fmt.Sprintf("Code(%d)", uint32(c))
	}
	return codeNames[c]
}

// Cause is what happened to a call that ended without its callee's answer.
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
)

var causeNames = [...]string{
	"unspecified", "timed out", "callee exited", "callee killed", "callee trapped", "unreachable", "cancelled", "too large",
	"overloaded", "undecodable", "no such method",
}

func (c Cause) String() string {
	if int(c) >= len(causeNames) {
		return fmt.Sprintf("Cause(%d)", uint32(c))
	}
	return causeNames[c]
}

// Detail is the detail of a reply that failed.
type Detail struct {
	// Cause is what happened; a number that this version does not know is read as CauseUnspecified.
	Cause   Cause
	Message string // for people
}

// ReadDetail reads it. A detail that is too short is empty, and text that is not UTF-8 is mended: a failure must stay readable.
func ReadDetail(bytes []byte) Detail {
	if len(bytes) < 4 {
		return Detail{}
	}
	cause := Cause(binary.LittleEndian.Uint32(bytes))
	if int(cause) >= len(causeNames) {
		cause = CauseUnspecified
	}
	return Detail{cause, strings.ToValidUTF8(string(bytes[4:]), "\uFFFD")}
}

// Append appends the detail's bytes to out.
func (d Detail) Append(out []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(out, uint32(d.Cause)), d.Message...)
}
