package guest

import "github.com/parigot/parigot/parigot-guest-go/internal/abi"

// The keys of https://www.w3.org/TR/trace-context/.
const (
	traceParent = "traceparent"
	traceState  = "tracestate"
)

// traceOf returns what metadata has of a trace context, as metadata; nil if it has none.
func traceOf(metadata []byte) []byte {
	parent, ok := valueOf(metadata, traceParent)
	if !ok {
		return nil
	}
	trace := abi.AppendPair(nil, traceParent, parent)
	if state, ok := valueOf(metadata, traceState); ok {
		trace = abi.AppendPair(trace, traceState, state)
	}
	return trace
}

// HasTrace reports whether metadata has a trace context.
func HasTrace(metadata []byte) bool {
	_, ok := valueOf(metadata, traceParent)
	return ok
}

// valueOf returns the value of a key; the first, if there are two.
func valueOf(metadata []byte, key string) (value string, ok bool) {
	if len(metadata) == 0 {
		return "", false
	}
	frame := abi.Frame{Metadata: metadata}
	pairs, err := frame.Pairs()
	if err != nil {
		return "", false // the host has checked it
	}
	for _, pair := range pairs {
		if pair.Key == key {
			return pair.Value, true
		}
	}
	return "", false
}
