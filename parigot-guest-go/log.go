package parigot

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// NewLogHandler returns a handler that adds lines to the host's log. Each line has the time, the
// guest and, if the context belongs to a call, the id of the call.
//
// Attributes are members of the line in the JSON log, and stand after the message in text. The name
// of an attribute in a group follows the name of the group and a dot. Numbers, booleans and strings
// keep their types. Durations, times, errors and values with a method String are strings. Other
// values are JSON.
//
// In a guest this handler is slog's default, and package log writes to it: use [slog.InfoContext].
// It works everywhere, also in init and before [Launch] or [Run]. The host selects the levels.
func NewLogHandler() slog.Handler { return &logHandler{} }

// logHandler keeps the attributes of WithAttrs and the open groups of WithGroup.
type logHandler struct {
	fields []byte // attributes as metadata of a log frame
	prefix string // names of the open groups, each with a dot
}

// Enabled reports true for every level down to trace: the host selects the levels.
func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelDebug-4
}

// Handle adds a line to the log.
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	// The full slice expression makes the append copy: records share the fields of the handler.
	fields := h.fields[:len(h.fields):len(h.fields)]
	record.Attrs(func(attr slog.Attr) bool {
		fields = appendAttr(fields, h.prefix, attr)
		return true
	})
	return guest.Log(ctx, guest.Line{
		Level:  levelOf(record.Level),
		Text:   strings.TrimRight(record.Message, "\n"),
		Fields: fields,
	})
}

// WithAttrs returns a handler that adds these attributes to its lines.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	fields := h.fields[:len(h.fields):len(h.fields)]
	for _, attr := range attrs {
		fields = appendAttr(fields, h.prefix, attr)
	}
	return &logHandler{fields, h.prefix}
}

// WithGroup returns a handler that prefixes the names of further attributes with the group's name.
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &logHandler{h.fields, h.prefix + name + "."}
}

// appendAttr appends an attribute, or the attributes of a group, as [slog.Handler] requires: an
// empty attribute is ignored, and a group without a name adds no prefix.
func appendAttr(fields []byte, prefix string, attr slog.Attr) []byte {
	attr.Value = attr.Value.Resolve()
	if attr.Equal(slog.Attr{}) {
		return fields
	}
	if attr.Value.Kind() != slog.KindGroup {
		name := strings.ToValidUTF8(prefix+attr.Key, "\uFFFD")
		return abi.AppendPair(fields, name, jsonOf(attr.Value))
	}
	if attr.Key != "" {
		prefix += attr.Key + "."
	}
	for _, member := range attr.Value.Group() {
		fields = appendAttr(fields, prefix, member)
	}
	return fields
}

// jsonOf returns a value as JSON.
func jsonOf(value slog.Value) string {
	switch value.Kind() {
	case slog.KindBool, slog.KindInt64, slog.KindUint64:
		return value.String()
	case slog.KindTime:
		return quoted(value.Time().Format(time.RFC3339Nano))
	case slog.KindAny:
		return jsonOfAny(value.Any())
	case slog.KindFloat64:
		if text, err := json.Marshal(value.Float64()); err == nil {
			return string(text)
		}
	}
	return quoted(value.String()) // a string, a duration, an infinite number
}

// jsonOfAny returns a value as JSON. A panic in a method of the value must not end the guest
// because of a line in the log.
func jsonOfAny(value any) (text string) {
	defer func() {
		if caught := recover(); caught != nil {
			text = quoted(fmt.Sprintf("!PANIC: %v", caught))
		}
	}()
	if of := reflect.ValueOf(value); of.Kind() == reflect.Pointer && of.IsNil() {
		return "null" // its methods may not expect nil
	}
	switch value := value.(type) {
	case error:
		return quoted(value.Error())
	case json.Marshaler: // may also be a Stringer, for another purpose
	case fmt.Stringer:
		return quoted(value.String())
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return quoted(fmt.Sprintf("%+v", value))
	}
	return string(encoded)
}

// quoted returns a text as a JSON string.
func quoted(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		return strconv.Quote(text) // cannot happen: a string has a JSON form
	}
	return string(encoded)
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
