package parigot_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
	"google.golang.org/protobuf/proto"
)

// lines is an outbox that records the log lines.
type lines struct {
	mu   sync.Mutex
	seen []line
}

type line struct {
	level abi.Level
	call  uint64
	text  string
}

func (l *lines) Send(frame abi.Frame, _ proto.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, line{abi.Level(frame.Status), frame.Number, string(frame.Payload)})
	return nil
}

func (l *lines) Progress(uint64, uint32, uint32) {}

func (l *lines) Begin(uint64) {}

func TestLogLinesHaveLevelAndAttributes(t *testing.T) {
	var sent lines
	ctx := guest.NewContext(t.Context(), guest.New(&sent, time.Now()))
	log := slog.New(parigot.NewLogHandler())
	log.InfoContext(ctx, "baked", "loaves", 3, "kind", "rye bread")
	log.With("oven", 2).WithGroup("dough").WarnContext(ctx, "sour", "hours", 12)
	log.ErrorContext(ctx, "burnt", "error", errors.New("too hot"))
	log.DebugContext(ctx, "kneading")
	log.Log(ctx, slog.LevelDebug-4, "breathing")
	want := []line{
		{abi.LevelInfo, abi.NoCall, `baked loaves=3 kind="rye bread"`},
		{abi.LevelWarn, abi.NoCall, "sour oven=2 dough.hours=12"},
		{abi.LevelError, abi.NoCall, `burnt error="too hot"`},
		{abi.LevelDebug, abi.NoCall, "kneading"},
		{abi.LevelTrace, abi.NoCall, "breathing"},
	}
	if !slices.Equal(sent.seen, want) {
		t.Fatalf("found %+v, want %+v", sent.seen, want)
	}
	if err := parigot.NewLogHandler().Handle(context.Background(), slog.Record{}); err == nil {
		t.Fatal("a context without a guest must be an error")
	}
}
