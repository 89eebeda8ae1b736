package parigot

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// binary is the ending of the keys whose values are base64.
const binary = "-bin"

// MetadataOf returns all entries in the metadata of the call that the context belongs to, in the
// caller's order. Outside of a handler there are none.
func MetadataOf(ctx context.Context) MetadataEntries {
	if in := guest.InboundOf(ctx); in != nil {
		return entriesOf(in.MetadataBytes())
	}
	return nil
}

// MetadataBin returns the bytes of a key that ends with -bin, in the metadata of the call that the
// context belongs to; the first of several, see [MetadataEntries.GetAllBin]. It reports false if
// the key is absent or its value is not base64.
func MetadataBin(ctx context.Context, key string) (value []byte, ok bool) {
	text, ok := Metadata(ctx, key)
	if !ok {
		return nil, false
	}
	return decodeBinary(text)
}

// WithMetadataBin is [WithMetadata] for a value of any bytes. The key must end with -bin; otherwise
// the entry is dropped, and the log says so.
func WithMetadataBin(ctx context.Context, key string, value []byte) context.Context {
	if !maySet(ctx, key, true) {
		return ctx
	}
	return withMetadata(ctx, key, encodeBinary(value))
}

// SetHeader adds a header to the response of the call that the context belongs to. A key may have
// several values, in order.
//
// Headers travel before the response, on success and on failure alike. Keys are in lower case by
// convention. Only the host sets keys that begin with parigot-: such an entry is dropped, and the
// log says so. So is a header that is set after the first response of a stream. Outside of a
// handler, and after its response, nothing happens.
func SetHeader(ctx context.Context, key, value string) {
	if in := guest.InboundOf(ctx); in != nil && maySet(ctx, key, false) {
		addHeader(ctx, in, key, value)
	}
}

// SetHeaderBin is [SetHeader] for a value of any bytes. The key must end with -bin; otherwise the
// entry is dropped, and the log says so.
func SetHeaderBin(ctx context.Context, key string, value []byte) {
	if in := guest.InboundOf(ctx); in != nil && maySet(ctx, key, true) {
		addHeader(ctx, in, key, encodeBinary(value))
	}
}

func addHeader(ctx context.Context, in *guest.Inbound, key, value string) {
	if !in.AddHeader(key, value) {
		const late = "header %q dropped: the stream of responses has begun"
		warn(ctx, fmt.Sprintf(late, key))
	}
}

// SendHeaders sends the headers of the response now, which tells the caller that the stream has
// begun. The first response of a stream sends them, too.
//
// Use it in a handler of a method that streams if the first response may take long: the default
// deadline of the deployment covers only the time until the first message of the handler. In other
// handlers, and outside of a handler, nothing happens.
func SendHeaders(ctx context.Context) {
	if in := guest.InboundOf(ctx); in != nil && in.Stream() != nil {
		in.Stream().Open()
	}
}

// SetTrailer adds a trailer to the response of the call that the context belongs to. Trailers
// travel with the response or the failure. See [SetHeader].
func SetTrailer(ctx context.Context, key, value string) {
	if in := guest.InboundOf(ctx); in != nil && maySet(ctx, key, false) {
		in.AddTrailer(key, value)
	}
}

// SetTrailerBin is [SetTrailer] for a value of any bytes. See [SetHeaderBin].
func SetTrailerBin(ctx context.Context, key string, value []byte) {
	if in := guest.InboundOf(ctx); in != nil && maySet(ctx, key, true) {
		in.AddTrailer(key, encodeBinary(value))
	}
}

// ResponseMetadata is the metadata of a response: headers, which the callee sends before the
// response, and trailers, which it sends with the response or the failure. See
// [WithResponseMetadata].
type ResponseMetadata struct {
	Headers  MetadataEntries
	Trailers MetadataEntries
}

// MetadataEntries are keys and values, in the sender's order.
type MetadataEntries []MetadataEntry

// MetadataEntry is a key and its value.
type MetadataEntry struct{ Key, Value string }

// Get returns the value of a key; of several, the first.
func (m MetadataEntries) Get(key string) (value string, ok bool) {
	for _, entry := range m {
		if entry.Key == key {
			return entry.Value, true
		}
	}
	return "", false
}

// GetAll returns all values of a key.
func (m MetadataEntries) GetAll(key string) []string {
	var values []string
	for _, entry := range m {
		if entry.Key == key {
			values = append(values, entry.Value)
		}
	}
	return values
}

// GetBin returns the bytes of a key that ends with -bin; of several values, the first. It reports
// false if the key is absent or its value is not base64.
func (m MetadataEntries) GetBin(key string) (value []byte, ok bool) {
	text, ok := m.Get(key)
	if !ok {
		return nil, false
	}
	return decodeBinary(text)
}

// GetAllBin returns the bytes of all values of a key that ends with -bin, in order; nil for a value
// that is not base64.
func (m MetadataEntries) GetAllBin(key string) [][]byte {
	var values [][]byte
	for _, text := range m.GetAll(key) {
		value, _ := decodeBinary(text)
		values = append(values, value)
	}
	return values
}

type responseKey struct{}

// WithResponseMetadata returns a context whose calls store the metadata of their responses in into,
// on success and on failure.
//
//	var metadata parigot.ResponseMetadata
//	ctx = parigot.WithResponseMetadata(ctx, &metadata)
//	response, err := client.Sell(ctx, request).Await(ctx)
//	servedBy, ok := metadata.Headers.Get("served-by")
//
// Read it after the call has ended. Use a context for each of several concurrent calls.
func WithResponseMetadata(ctx context.Context, into *ResponseMetadata) context.Context {
	return context.WithValue(ctx, responseKey{}, into)
}

// storeResponseMetadata stores the metadata of a response, in its wire form, if the context asks
// for it.
func storeResponseMetadata(ctx context.Context, headers, trailers []byte) {
	into, ok := ctx.Value(responseKey{}).(*ResponseMetadata)
	if !ok {
		return
	}
	*into = ResponseMetadata{Headers: entriesOf(headers), Trailers: entriesOf(trailers)}
}

// entriesOf reads metadata in its wire form, up to an entry that is malformed.
func entriesOf(metadata []byte) MetadataEntries {
	frame := abi.Frame{Metadata: metadata}
	pairs, _ := frame.Pairs()
	var entries MetadataEntries
	for _, pair := range pairs {
		entries = append(entries, MetadataEntry(pair))
	}
	return entries
}

// maySet reports whether a guest may set the key. If not, it logs why.
func maySet(ctx context.Context, key string, isBinary bool) bool {
	const reserved = "metadata key %q dropped: only the host sets keys that begin with parigot-"
	const wrong = "metadata key %q dropped: the key of a binary value must end with %s"
	switch {
	case abi.ReservedKey(key):
		warn(ctx, fmt.Sprintf(reserved, key))
	case isBinary && !strings.HasSuffix(key, binary):
		warn(ctx, fmt.Sprintf(wrong, key, binary))
	default:
		return true
	}
	return false
}

// warn adds a line to the log, unless the context has no guest.
func warn(ctx context.Context, text string) {
	g, err := guest.Of(ctx)
	if err != nil {
		return
	}
	call := uint64(abi.NoCall)
	if in := guest.InboundOf(ctx); in != nil {
		call = in.Number()
	}
	g.Log(abi.LevelWarn, call, text)
}

func encodeBinary(value []byte) string { return base64.RawStdEncoding.EncodeToString(value) }

// decodeBinary reads base64, with or without padding.
func decodeBinary(text string) ([]byte, bool) {
	encoding := base64.RawStdEncoding
	if len(text)%4 == 0 && strings.HasSuffix(text, "=") {
		encoding = base64.StdEncoding
	}
	value, err := encoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	return value, true
}
