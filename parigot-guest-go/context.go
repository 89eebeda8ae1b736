package parigot

import (
	"context"

	"github.com/parigot/parigot/parigot-guest-go/id"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// CallID returns the id of the call that the context belongs to. The log shows the same id. Outside
// a handler the id is empty.
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

// Metadata returns the value of a key in the metadata of the call that the context belongs to; the
// first of several.
func Metadata(ctx context.Context, key string) (value string, ok bool) {
	in := guest.InboundOf(ctx)
	if in == nil {
		return "", false
	}
	return in.Metadata(key)
}

type metadataKey struct{}

// WithMetadata returns a context that adds a key and its value to the metadata of its calls. A key
// may have several values.
//
// Only the host sets keys that begin with parigot-: such an entry is dropped, and the log says so.
//
// A callee does not pass metadata on to its own calls, except the trace context of the W3C:
// traceparent and tracestate. Calls with the context of a handler have both keys of the handler's
// call, unless WithMetadata sets another traceparent. parigot does not start traces: set
// traceparent on the first call.
func WithMetadata(ctx context.Context, key, value string) context.Context {
	if !maySet(ctx, key, false) {
		return ctx
	}
	return withMetadata(ctx, key, value)
}

func withMetadata(ctx context.Context, key, value string) context.Context {
	before := ownMetadata(ctx)
	// The full slice expression makes the append copy: contexts share the metadata before.
	metadata := abi.AppendPair(before[:len(before):len(before)], key, value)
	return context.WithValue(ctx, metadataKey{}, metadata)
}

// ownMetadata returns the metadata set by [WithMetadata].
func ownMetadata(ctx context.Context) []byte {
	metadata, _ := ctx.Value(metadataKey{}).([]byte)
	return metadata
}

// outgoingMetadata returns the metadata of calls with this context.
func outgoingMetadata(ctx context.Context) []byte {
	own := ownMetadata(ctx)
	in := guest.InboundOf(ctx)
	if in == nil || in.Trace() == "" || guest.HasTrace(own) {
		return own
	}
	return append(own[:len(own):len(own)], in.Trace()...)
}
