package parigottest

import (
	"bytes"
	"context"
	"sync"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/stdio/stdiopb"
)

// Stdio is a fake of standard input and output, created by [Host.Stdio].
type Stdio struct {
	mu     sync.Mutex
	input  []byte
	output bytes.Buffer
	closed bool
}

// Stdio serves standard input and output to the guests that are started later. The input ends after
// the given text.
func (h *Host) Stdio(input string) *Stdio {
	h.t.Helper()
	s := &Stdio{input: []byte(input)}
	h.Serve(stdiopb.ExportStdio(stdioService{s}))
	return s
}

// Output returns the output so far.
func (s *Stdio) Output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output.String()
}

// CloseOutput lets later writes fail, as after the end of the program that reads the output.
func (s *Stdio) CloseOutput() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// stdioService serves a fake.
type stdioService struct{ *Stdio }

func (stdioService) Ready(context.Context) *future.Base[bool] {
	return future.NewBaseWithValue(true)
}

func (s stdioService) Read(
	_ context.Context, in *stdiopb.ReadRequest,
) *stdiopb.StdioReadFuture {
	s.mu.Lock()
	defer s.mu.Unlock()
	bytesMax := int(in.BytesMax)
	if bytesMax == 0 {
		bytesMax = 64 << 10
	}
	data := s.input[:min(bytesMax, 1<<20, len(s.input))]
	s.input = s.input[len(data):]
	return stdiopb.StdioReadDone(&stdiopb.ReadResponse{Data: data}, nil)
}

func (s stdioService) Write(
	_ context.Context, in *stdiopb.WriteRequest,
) *stdiopb.StdioWriteFuture {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return stdiopb.StdioWriteDone(nil, stdiopb.StdioErr_CLOSED)
	}
	s.output.Write(in.Data)
	return stdiopb.StdioWriteDone(&stdiopb.WriteResponse{}, nil)
}
