package parigot

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// DynamicClient calls a service that is known by its name at run time, for those who have no generated code of it: a gateway, say, or a tool.
//
// Requests and responses are protobuf messages in their wire form, which pass untouched. What the methods exchange is not told here.
type DynamicClient struct{ channel *Channel }

// LocateDynamic finds the service of that full name. It is an error if the guest requires it neither by name, see [RequireDynamic], nor by its
// generated Require function, or is not launched yet.
func LocateDynamic(ctx context.Context, service string) (*DynamicClient, error) {
	g, err := guest.Of(ctx)
	if err != nil {
		return nil, err
	}
	handle, names, err := g.Handle(service)
	if errors.Is(err, guest.ErrNotRequired) {
		const howTo = "hand parigot.RequireDynamic(%q) to Launch, or to the guest's Run"
		return nil, fmt.Errorf("%s %w: "+howTo, service, err, service)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %w", service, err)
	}
	table := &Service{Name: service}
	for _, name := range names {
		table.Methods = append(table.Methods, Method{Name: name})
	}
	return &DynamicClient{&Channel{g, table, handle}}, nil
}

// Service returns the full name of the service.
func (c *DynamicClient) Service() string { return c.channel.service.Name }

// Methods returns the names of the methods that can be called: those of its generated client if the guest requires that, else those that the
// exporter has.
func (c *DynamicClient) Methods() []string {
	var names []string
	for _, method := range c.channel.service.Methods {
		names = append(names, method.Name)
	}
	return names
}

// Call sends a request at once to the method of that name; the future completes with the response. The call ends when ctx does, as that of
// a generated client. If there is no such method, it is not sent, and fails with [Unimplemented].
func (c *DynamicClient) Call(ctx context.Context, method string, request []byte) *future.Method[[]byte, ErrorNumber] {
	for place, known := range c.channel.service.Methods {
		if known.Name == method {
			call := &dynamicCall{}
			call.ctx, call.channel, call.method = ctx, c.channel, uint32(place)
			return call.begin(len(request), &guest.Outbound{Payload: request, Reply: call})
		}
	}
	return future.Done[[]byte, ErrorNumber](nil, &CallError{
		Code:    Unimplemented,
		Cause:   CauseNoSuchMethod,
		Message: fmt.Sprintf("%s has no method %s", c.Service(), method),
		Service: c.Service(),
		Method:  method,
	})
}

// dynamicCall is a call whose response stays as it is.
type dynamicCall struct{ call[[]byte, ErrorNumber] }

// Arrive ends the call with its reply.
func (c *dynamicCall) Arrive(frame abi.Frame) {
	if !c.arriveFailed(&frame, nil) {
		c.future.Complete(bytes.Clone(frame.Payload), nil)
	}
}

// ErrorNumber is a number of a service's error enum, which is not known here.
type ErrorNumber int32

// Error returns it in words.
func (n ErrorNumber) Error() string { return fmt.Sprintf("the service failed with error %d", int32(n)) }
