package parigot

import (
	"context"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/future"
	"google.golang.org/protobuf/proto"
)

// ABIv1 is the version of the guest ABI that generated code needs: see there.
const ABIv1 = 1

// Service is a service's static table: what guest and host must agree on.
type Service struct {
	Name        string // with its package: greeting.v1.Greeting
	Schema      uint64 // a hash of the schema, made by the generator
	Methods     []Method
	Descriptors []byte // a serialized FileDescriptorSet, or nil
}

// Method is one method of a [Service]; calls name it by its place.
type Method struct {
	Name       string        // as in the .proto: FetchGreeting
	Budget     time.Duration // how long it may hold the thread; 0 for the host's default
	Deadline   time.Duration // how long a call may take; 0 for the host's default
	Idempotent bool          // whether it may run twice
}

// Requirement is a service that the guest will call.
type Requirement struct{ service *Service }

// Require returns the requirement of that service.
func Require(service *Service) Requirement { return Requirement{service} }

// Channel is a way to a service that the guest requires.
type Channel struct{}

// Locate returns the way to that service. It is an error if the guest does not require it, or is not launched yet.
func Locate(ctx context.Context, service *Service) (*Channel, error) { panic("declared") }

// Call sends a request at once. The future completes with the response, which is decoded into out, or with an error.
func Call[T proto.Message, E future.ErrorType](ctx context.Context, channel *Channel, method uint32, in proto.Message, out T) *future.Method[T, E] {
	panic("declared")
}

// Code is one of the 16 codes of gRPC.
type Code int32

// Export is a service that the guest exports, and what implements it.
type Export struct {
	Service  *Service
	Ready    func(context.Context) *future.Base[bool]
	Handlers []Handler // by the places of the methods
}

// Handler serves one method: see [Handle].
type Handler func(*inbound)

type inbound struct{}

// Handle returns the handler that decodes a request into what newRequest returns, lets serve answer it, and replies.
func Handle[I, O proto.Message, E future.ErrorType](newRequest func() I, serve func(context.Context, I) *future.Method[O, E]) Handler {
	panic("declared")
}

// Run runs the guest that exports these services; it returns when the guest was told to leave.
func Run(ctx context.Context, exports []Export, requires ...Requirement) { panic("declared") }
