package stdio_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/parigot/parigot/parigot-guest-go/parigottest"
	"github.com/parigot/parigot/parigot-guest-go/stdio"
	"github.com/parigot/parigot/parigot-guest-go/stdio/stdiopb"
)

// locate returns a fake with that input, and standard input and output of a guest of its host.
func locate(t *testing.T, input string) (*parigottest.Stdio, *stdio.Stdio) {
	host := parigottest.New(t)
	fake := host.Stdio(input)
	return fake, stdio.MustLocate(host.Client(stdio.Require()))
}

func TestLinesOfInputBecomeLinesOfOutput(t *testing.T) {
	fake, console := locate(t, "one\nthree\nlast")
	lines := bufio.NewScanner(console)
	for lines.Scan() {
		fmt.Fprintln(console, len(lines.Text()))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if output := fake.Output(); output != "3\n5\n4\n" {
		t.Fatalf("found %q", output)
	}
}

func TestReadTakesNoMoreThanRequested(t *testing.T) {
	_, console := locate(t, "abcdef")
	first := make([]byte, 4)
	if n, err := console.Read(first); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	rest, err := io.ReadAll(console)
	if string(first)+string(rest) != "abcdef" || err != nil {
		t.Fatalf("found %q and %q, %v", first, rest, err)
	}
	if n, err := console.Read(nil); n != 0 || err != nil {
		t.Fatal(n, err)
	}
}

func TestLongOutputIsComplete(t *testing.T) {
	fake, console := locate(t, "")
	long := strings.Repeat("0123456789", 20_000)
	if n, err := io.WriteString(console, long); n != len(long) || err != nil {
		t.Fatal(n, err)
	}
	if fake.Output() != long {
		t.Fatal("the output differs")
	}
}

func TestWriteToClosedOutputFails(t *testing.T) {
	fake, console := locate(t, "")
	fmt.Fprint(console, "read")
	fake.CloseOutput()
	n, err := fmt.Fprint(console, "unread")
	if n != 0 || !errors.Is(err, stdio.ErrClosed) || !errors.Is(err, stdiopb.StdioErr_CLOSED) {
		t.Fatal(n, err)
	}
	if fake.Output() != "read" {
		t.Fatalf("found %q", fake.Output())
	}
}

func TestLocateNeedsTheRequirement(t *testing.T) {
	host := parigottest.New(t)
	const expected = "parigot.stdio.v1.Stdio is not among the services"
	_, err := stdio.Locate(host.Client())
	if err == nil || !strings.HasPrefix(err.Error(), expected) {
		t.Fatalf("found %v", err)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	host := parigottest.New(t)
	host.Stdio("")
	ctx, cancel := context.WithCancel(host.Client(stdio.Require()))
	console := stdio.MustLocate(ctx)
	cancel()
	if _, err := console.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("found %v", err)
	}
}
