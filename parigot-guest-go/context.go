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
	pairs, err := in.Metadata()
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

type metadataKey struct{}

// WithMetadata returns a context whose calls bear another key and value. They are not passed on by the callee.
func WithMetadata(ctx context.Context, key, value string) context.Context {
	before := outgoingMetadata(ctx)
	return context.WithValue(ctx, metadataKey{}, abi.AppendPair(before[:len(before):len(before)], key, value))
}

func outgoingMetadata(ctx context.Context) []byte {
	metadata, _ := ctx.Value(metadataKey{}).([]byte)
	return metadata
}
