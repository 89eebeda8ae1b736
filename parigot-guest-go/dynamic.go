package parigot

import (
	"bytes"
	"context"
	"fmt"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// DynamicClient calls a service by its name, without generated code, for example in a gateway or
// tool.
//
// Requests and responses are protobuf messages in their wire form, which pass unchanged. The client
// does not know the types of the messages.
type DynamicClient struct{ channel *Channel }

// LocateDynamic returns a client of the service with that full name. It returns an error if the
// guest is not launched yet, or requires the service neither by name, see [RequireDynamic], nor by
// its generated Require function.
func LocateDynamic(ctx context.Context, service string) (*DynamicClient, error) {
	const howTo = "hand parigot.RequireDynamic(%q) to Launch, or to the guest's Run"
	return locateDynamic(ctx, service, "", fmt.Sprintf(howTo, service))
}

// LocateDynamicNamed returns a client of the service that is bound to a name: see [Requirement.As].
func LocateDynamicNamed(ctx context.Context, service, binding string) (*DynamicClient, error) {
	const howTo = "hand parigot.RequireDynamic(%q).As(%q) to Launch, or to the guest's Run"
	return locateDynamic(ctx, service, binding, fmt.Sprintf(howTo, service, binding))
}

func locateDynamic(
	ctx context.Context, service, binding, howTo string,
) (*DynamicClient, error) {
	g, err := guest.Of(ctx)
	if err != nil {
		return nil, err
	}
	handle, methods, err := g.Handle(service, binding)
	if err != nil {
		return nil, locateError(g, service, binding, howTo, err)
	}
	table := &Service{Name: service}
	for _, method := range methods {
		table.Methods = append(table.Methods, Method{
			Name:             method.Name,
			StreamsRequests:  method.Flags&abi.StreamsRequests != 0,
			StreamsResponses: method.Flags&abi.StreamsResponses != 0,
		})
	}
	return &DynamicClient{&Channel{g, table, handle}}, nil
}

// Service returns the full name of the service.
func (c *DynamicClient) Service() string { return c.channel.service.Name }

// Methods returns the names of the methods that can be called. If the guest requires the service by
// a generated function, these are the methods of the generated client, else those of the exporter.
func (c *DynamicClient) Methods() []string {
	var names []string
	for _, method := range c.channel.service.Methods {
		names = append(names, method.Name)
	}
	return names
}

// Call sends a request to the method of that name immediately, and returns the future of the
// response. The call ends with ctx, as a call of a generated client does. Without such a method, or
// if the method streams, the request is not sent, and the call fails with [Unimplemented].
func (c *DynamicClient) Call(
	ctx context.Context, method string, request []byte,
) *future.Method[[]byte, ErrorNumber] {
	index, err := c.find(method, false, false)
	if err != nil {
		return future.Done[[]byte, ErrorNumber](nil, err)
	}
	call := &dynamicCall{}
	call.ctx, call.channel, call.method = ctx, c.channel, index
	return call.begin(len(request), &guest.Outbound{Payload: request, Reply: call})
}

// find returns the index of the method of that name, or an error if there is none, or if other
// sides stream.
func (c *DynamicClient) find(
	method string, streamsRequests, streamsResponses bool,
) (uint32, error) {
	problem := fmt.Sprintf("%s has no method %s", c.Service(), method)
	for index, known := range c.channel.service.Methods {
		if known.Name != method {
			continue
		}
		isSuch := known.StreamsRequests == streamsRequests
		if isSuch && known.StreamsResponses == streamsResponses {
			return uint32(index), nil
		}
		problem = fmt.Sprintf("%s/%s streams in other directions", c.Service(), method)
	}
	return 0, &CallError{
		Code:    Unimplemented,
		Cause:   CauseNoSuchMethod,
		Message: problem,
		Service: c.Service(),
		Method:  method,
	}
}

// dynamicCall is a call with the response in its wire form.
type dynamicCall struct{ call[[]byte, ErrorNumber] }

// Arrive ends the call with its reply.
func (c *dynamicCall) Arrive(frame abi.Frame) {
	if !c.arriveFailed(&frame, nil) {
		c.future.Complete(bytes.Clone(frame.Payload), nil)
	}
}

// ErrorNumber is a number of a service's error enum. The client does not know the enum.
type ErrorNumber int32

// Error returns a text with the number.
func (n ErrorNumber) Error() string {
	return fmt.Sprintf("the service failed with error %d", int32(n))
}
