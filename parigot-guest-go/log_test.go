package parigot_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/id"
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
	text  string // with the fields
}

func (l *lines) Send(frame abi.Frame, _ proto.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	pairs, err := frame.Pairs()
	text := string(frame.Payload)
	for _, pair := range pairs {
		text += " " + pair.Key + "=" + pair.Value
	}
	l.seen = append(l.seen, line{abi.Level(frame.Status), frame.Number, text})
	return err
}

func (l *lines) Progress(uint64, uint32, uint32) {}

func (l *lines) Begin(uint64) {}

// slogValue is a value that computes its own form.
type slogValue struct{}

func (slogValue) LogValue() slog.Value { return slog.StringValue("resolved") }

// panicking is a value whose text cannot be had.
type panicking struct{}

func (panicking) String() string { panic("on purpose") }

func TestLinesBeforeTheManifestGoAnotherWay(t *testing.T) {
	var early []abi.Frame
	guest.EarlyLog = func(frame abi.Frame) { early = append(early, frame) }
	defer func() { guest.EarlyLog = nil }()
	var sent lines
	log := slog.New(parigot.NewLogHandler())
	log.Warn("before the guest", "oven", "cold")
	g := guest.New(&sent, time.Now())
	ctx := guest.NewContext(t.Context(), g)
	log.InfoContext(ctx, strings.Repeat("x", 1<<20))
	g.Declare(ctx, guest.Declaration{})
	log.InfoContext(ctx, "after the manifest")
	if len(early) != 2 || abi.Level(early[0].Status) != abi.LevelWarn ||
		string(early[0].Payload) != "before the guest" || len(early[1].Payload) != 32<<10 {
		t.Errorf("found %v", early)
	}
	if last := sent.seen[len(sent.seen)-1].text; last != "after the manifest" {
		t.Errorf("found %q", last)
	}
}

func TestLogLinesHaveLevelAndAttributes(t *testing.T) {
	var sent lines
	ctx := guest.NewContext(t.Context(), guest.New(&sent, time.Now()))
	log := slog.New(parigot.NewLogHandler())
	log.InfoContext(ctx, "baked", "loaves", 3, "kind", "rye bread")
	log.With("oven", 2).WithGroup("dough").WarnContext(ctx, "sour", "hours", 12)
	log.ErrorContext(ctx, "burnt", "error", errors.New("too hot"))
	log.DebugContext(ctx, "kneading")
	log.Log(ctx, slog.LevelDebug-4, "breathing")
	var pointer *time.Location
	log.With("kept", 1).WithGroup("").InfoContext(ctx, "kinds",
		"text", "1", "half", 0.5, "hot", true, "inf", math.Inf(1), "took", 1500*time.Millisecond,
		"at", time.Unix(0, 0).UTC(),
		"none", nil, "pointer", pointer, "list", []string{"a", "b"}, "call", id.CallID{},
		"later", slogValue{}, "panic", panicking{})
	log.WithGroup("a").With("b", 1).WithGroup("c").InfoContext(ctx, "groups",
		slog.Group("d", "e", 2, slog.Group("", "f", 3), slog.Group("g")),
		slog.Attr{}, "\xff", "\xff")
	want := []line{
		{abi.LevelInfo, abi.NoCall, `baked loaves=3 kind="rye bread"`},
		{abi.LevelWarn, abi.NoCall, "sour oven=2 dough.hours=12"},
		{abi.LevelError, abi.NoCall, `burnt error="too hot"`},
		{abi.LevelDebug, abi.NoCall, "kneading"},
		{abi.LevelTrace, abi.NoCall, "breathing"},
		{abi.LevelInfo, abi.NoCall, `kinds kept=1 text="1" half=0.5 hot=true inf="+Inf"` +
			` took="1.5s" at="1970-01-01T00:00:00Z" none=null pointer=null list=["a","b"]` +
			` call="cal_000000000000000000000000" later="resolved" panic="!PANIC: on purpose"`},
		{abi.LevelInfo, abi.NoCall, "groups a.b=1 a.c.d.e=2 a.c.d.f=3 a.c.\uFFFD=\"\\ufffd\""},
	}
	if !slices.Equal(sent.seen, want) {
		t.Fatalf("found %+v, want %+v", sent.seen, want)
	}
	if err := parigot.NewLogHandler().Handle(context.Background(), slog.Record{}); err == nil {
		t.Fatal("a context without a guest must be an error")
	}
}
