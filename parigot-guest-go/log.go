package parigot

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// NewLogHandler returns a handler that adds lines to the host's log. Each line has the time, the
// guest and, if the context belongs to a call, the id of the call. The text is the message and then
// the attributes, as [slog.TextHandler] writes them.
//
// In a guest this handler is slog's default: use [slog.InfoContext]. The host selects the levels.
func NewLogHandler() slog.Handler {
	lines := &lineWriter{}
	withoutHead := func(groups []string, attr slog.Attr) slog.Attr {
		key := attr.Key
		isHead := key == slog.TimeKey || key == slog.LevelKey || key == slog.MessageKey
		if len(groups) == 0 && isHead {
			return slog.Attr{}
		}
		return attr
	}
	options := &slog.HandlerOptions{Level: slog.LevelDebug - 4, ReplaceAttr: withoutHead}
	return &logHandler{attributes: slog.NewTextHandler(lines, options), lines: lines}
}

// logHandler formats attributes with a [slog.TextHandler] that writes to lines.
type logHandler struct {
	attributes slog.Handler
	lines      *lineWriter
}

// lineWriter holds the text of one record's attributes.
type lineWriter struct {
	mu   sync.Mutex // held while a record is handled
	text strings.Builder
}

func (w *lineWriter) Write(text []byte) (int, error) { return w.text.Write(text) }

// Enabled reports true for every level down to trace: the host selects the levels.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.attributes.Enabled(ctx, level)
}

// Handle adds a line to the log.
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	g, err := guest.Of(ctx)
	if err != nil {
		return err
	}
	attributes, err := h.attributesOf(ctx, record)
	if err != nil {
		return err
	}
	call := uint64(abi.NoCall)
	if in := guest.InboundOf(ctx); in != nil {
		call = in.Number()
	}
	g.Log(levelOf(record.Level), call, strings.TrimRight(record.Message+" "+attributes, " \n"))
	return nil
}

func (h *logHandler) attributesOf(ctx context.Context, record slog.Record) (string, error) {
	h.lines.mu.Lock()
	defer h.lines.mu.Unlock()
	h.lines.text.Reset()
	err := h.attributes.Handle(ctx, record)
	return h.lines.text.String(), err
}

// WithAttrs returns a handler that adds these attributes to its lines.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.attributes.WithAttrs(attrs), h.lines}
}

// WithGroup returns a handler that prefixes the names of further attributes with the group's name.
func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{h.attributes.WithGroup(name), h.lines}
}

func levelOf(level slog.Level) abi.Level {
	switch {
	case level >= slog.LevelError:
		return abi.LevelError
	case level >= slog.LevelWarn:
		return abi.LevelWarn
	case level >= slog.LevelInfo:
		return abi.LevelInfo
	case level >= slog.LevelDebug:
		return abi.LevelDebug
	}
	return abi.LevelTrace
}
