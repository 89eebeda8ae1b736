package stdio

import (
	"context"
	"errors"
	"fmt"
	"io"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/stdio/stdiopb"
)

// callBytesMax is the number of bytes in one call. Longer output is written in several calls.
const callBytesMax = 64 << 10

// ErrClosed is the error of a write after the reader of standard output is gone.
var ErrClosed = fmt.Errorf("the reader of standard output is gone: %w", stdiopb.StdioErr_CLOSED)

// Require declares that a guest uses standard input or output. Pass the result to
// [parigot.Launch].
func Require() parigot.Requirement { return stdiopb.RequireStdio() }

// Stdio is standard input and output of the process. Any goroutine may use it.
type Stdio struct {
	ctx    context.Context
	client stdiopb.StdioClient
}

var _ io.ReadWriter = (*Stdio)(nil)

// Locate returns standard input and output. Reads and writes end with ctx. Locate returns an error
// if the guest does not pass [Require] to its launch, or is not launched yet.
func Locate(ctx context.Context) (*Stdio, error) {
	client, err := stdiopb.LocateStdio(ctx)
	if err != nil {
		return nil, err
	}
	return &Stdio{ctx, client}, nil
}

// MustLocate is like [Locate], but panics instead of returning an error.
func MustLocate(ctx context.Context) *Stdio {
	s, err := Locate(ctx)
	if err != nil {
		panic(err)
	}
	return s
}

// Read reads from standard input as soon as at least one byte is there. It takes no more from
// standard input than len(p) bytes. It returns [io.EOF] at the end of the input.
func (s *Stdio) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	request := &stdiopb.ReadRequest{BytesMax: uint32(min(len(p), callBytesMax))}
	response, err := s.client.Read(s.ctx, request).Await(s.ctx)
	if err != nil {
		return 0, fmt.Errorf("cannot read standard input: %w", err)
	}
	if len(response.Data) == 0 {
		return 0, io.EOF
	}
	return copy(p, response.Data), nil
}

// Write writes to standard output, and returns when the operating system has taken all bytes. Up to
// 64 KiB stay together; parts of longer output may be separated by the output of other goroutines
// and programs.
//
// Write fails with [ErrClosed] if the reader is gone. After an error, part of the bytes behind the
// returned number may be written.
func (s *Stdio) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		part := p[written:min(written+callBytesMax, len(p))]
		_, err := s.client.Write(s.ctx, &stdiopb.WriteRequest{Data: part}).Await(s.ctx)
		if errors.Is(err, stdiopb.StdioErr_CLOSED) {
			return written, ErrClosed
		}
		if err != nil {
			return written, fmt.Errorf("cannot write standard output: %w", err)
		}
		written += len(part)
	}
	return written, nil
}
