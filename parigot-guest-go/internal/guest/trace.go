package guest

import "github.com/parigot/parigot/parigot-guest-go/internal/abi"

// Metadata keys of https://www.w3.org/TR/trace-context/.
const (
	traceParent = "traceparent"
	traceState  = "tracestate"
)

// traceOf returns the trace context in metadata, as metadata, or an empty text if there is none.
func traceOf(metadata []byte) string {
	parent, ok := valueOf(metadata, traceParent)
	if !ok {
		return ""
	}
	trace := abi.AppendPair(nil, traceParent, parent)
	if state, ok := valueOf(metadata, traceState); ok {
		trace = abi.AppendPair(trace, traceState, state)
	}
	return string(trace)
}

// HasTrace reports whether metadata contains a trace context.
func HasTrace(metadata []byte) bool {
	_, ok := valueOf(metadata, traceParent)
	return ok
}

// valueOf returns the value of a key; the first of several.
func valueOf(metadata []byte, key string) (value string, ok bool) {
	if len(metadata) == 0 {
		return "", false
	}
	frame := abi.Frame{Metadata: metadata}
	pairs, _ := frame.Pairs() // malformed metadata is read as far as it goes
	for _, pair := range pairs {
		if pair.Key == key {
			return pair.Value, true
		}
	}
	return "", false
}
