package parigot

import (
	"context"

	"github.com/parigot/parigot/parigot-guest-go/id"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// CallID returns the id of the call that is being served, as the log shows it; it is empty outside of a handler.
func CallID(ctx context.Context) id.CallID {
	if in := guest.InboundOf(ctx); in != nil {
		return callID(in.ID())
	}
	return id.CallID{}
}

// InstanceID returns the id of this instance of the guest.
func InstanceID(ctx context.Context) id.InstanceID {
	return instanceID(guest.MustOf(ctx).Instance())
}

// Metadata returns the value of a key that came with the call that is being served; the first, if there are two.
func Metadata(ctx context.Context, key string) (value string, ok bool) {
	in := guest.InboundOf(ctx)
	if in == nil {
		return "", false
	}
	return in.Metadata(key)
}

type metadataKey struct{}

// WithMetadata returns a context whose calls bear another key and value.
//
// Nothing of a call's metadata is passed on by its callee but the trace context of the W3C, traceparent and tracestate: calls that are made with
// the context of a handler bear both, unless that has got a traceparent of its own. Nobody begins a trace: a call that bears none passes none on.
func WithMetadata(ctx context.Context, key, value string) context.Context {
	before := ownMetadata(ctx)
	return context.WithValue(ctx, metadataKey{}, abi.AppendPair(before[:len(before):len(before)], key, value))
}

func ownMetadata(ctx context.Context) []byte {
	metadata, _ := ctx.Value(metadataKey{}).([]byte)
	return metadata
}

// outgoingMetadata returns what calls bear that are made with this context.
func outgoingMetadata(ctx context.Context) []byte {
	own := ownMetadata(ctx)
	in := guest.InboundOf(ctx)
	if in == nil || in.Trace() == nil || guest.HasTrace(own) {
		return own
	}
	return append(own[:len(own):len(own)], in.Trace()...)
}
