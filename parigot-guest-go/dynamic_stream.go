package parigot

import (
	"context"
	"iter"

	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
	"google.golang.org/protobuf/types/known/emptypb"
)

// ServerStream sends a request to the method of that name immediately, whose responses stream. See
// [DynamicClient.Call] for the end of the call, and for other methods.
func (c *DynamicClient) ServerStream(
	ctx context.Context, method string, request []byte,
) ResponseStream[[]byte] {
	out := &guest.Outbound{Payload: request}
	return c.stream(ctx, method, [2]bool{false, true}, len(request), out)
}

// ClientStream begins a call of the method of that name, whose requests stream. See
// [DynamicClient.Call] for the end of the call, and for other methods.
func (c *DynamicClient) ClientStream(
	ctx context.Context, method string,
) ClientStream[[]byte, []byte] {
	return c.stream(ctx, method, [2]bool{true, false}, 0, &guest.Outbound{})
}

// BidiStream begins a call of the method of that name, which streams in both directions. See
// [DynamicClient.Call] for the end of the call, and for other methods.
func (c *DynamicClient) BidiStream(
	ctx context.Context, method string,
) BidiStream[[]byte, []byte] {
	return c.stream(ctx, method, [2]bool{true, true}, 0, &guest.Outbound{})
}

// stream begins a call of a method whose requests and responses stream or not.
func (c *DynamicClient) stream(
	ctx context.Context, method string, streams [2]bool, bytes int, out *guest.Outbound,
) dynamicStream {
	index, err := c.find(method, streams[0], streams[1])
	if err == nil {
		call := beginStream[*raw, *raw, ErrorNumber](ctx, c.channel, index, bytes, out, newRaw)
		return dynamicStream{call}
	}
	call := newStreamCall[*raw, *raw, ErrorNumber](ctx, c.channel, newRaw)
	call.stream.Begin(0)
	call.future.Complete(nil, err)
	return dynamicStream{call}
}

// raw is a message whose fields are all unknown, so that it has the bytes of any message.
type raw = emptypb.Empty

func newRaw() *raw { return new(raw) }

// dynamicStream is a call that streams messages in their wire form.
type dynamicStream struct {
	*streamCall[*raw, *raw, ErrorNumber]
}

// Send sends a request: see [Sender].
func (s dynamicStream) Send(request []byte) error {
	message := new(raw)
	message.ProtoReflect().SetUnknown(request)
	return s.streamCall.Send(message)
}

// Recv returns the next response: see [Receiver].
func (s dynamicStream) Recv() ([]byte, error) { return bytesOf(s.streamCall.Recv()) }

// CloseAndRecv ends the requests, and returns the response.
func (s dynamicStream) CloseAndRecv() ([]byte, error) {
	return bytesOf(s.streamCall.CloseAndRecv())
}

// All returns the remaining responses: see [Receiver].
func (s dynamicStream) All() iter.Seq2[[]byte, error] { return all(s.Recv, s.Cancel) }

func bytesOf(message *raw, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return message.ProtoReflect().GetUnknown(), nil
}
