// Stdio is a program that reads stdin and writes stdout. It is the Go version of
// tests/guests/stdio, with some of its arguments.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/stdio"
)

func main() {
	ctx := context.Background()
	err := run(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, stdio.ErrClosed) {
		slog.ErrorContext(ctx, err.Error())
		parigot.Exit(ctx, 1)
	}
}

func run(ctx context.Context, args []string) error {
	if _, err := parigot.Launch(ctx, stdio.Require()).Await(ctx); err != nil {
		return err
	}
	console, err := stdio.Locate(ctx)
	if err != nil {
		return err
	}
	switch args[0] {
	case "cat":
		copied, err := io.Copy(console, console)
		if err != nil {
			return err
		}
		slog.InfoContext(ctx, fmt.Sprintf("copied %d bytes", copied))
	case "lengths":
		lines := bufio.NewScanner(console)
		for lines.Scan() {
			if _, err := fmt.Fprintln(console, len(lines.Text())); err != nil {
				return err
			}
		}
		return lines.Err()
	case "list":
		lines, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		for line := range lines {
			if _, err := fmt.Fprintln(console, line+1); err != nil {
				return err
			}
		}
		slog.InfoContext(ctx, "listed")
	case "flood":
		bytes, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		_, err = io.WriteString(console, strings.Repeat("x", bytes))
		return err
	default:
		return fmt.Errorf("unknown arguments: %q", args)
	}
	return nil
}
