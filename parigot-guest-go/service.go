package parigot

import (
	"slices"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// ABIv2 exists in versions of this package for version 2 of the guest ABI. Generated code refers to
// it, so that code for another version does not compile.
const ABIv2 = 2

// Service is the static description of a service, which guest and host must agree on. The generator
// writes it.
type Service struct {
	Name    string // full name: greeting.v1.Greeting
	Schema  uint64 // hash of the schema
	Methods []Method
	// Descriptors is a serialized FileDescriptorSet of the file that defines the service and of all
	// files that it imports; or empty.
	Descriptors string
}

// Method is a method of a [Service]. Calls identify a method by its index.
type Method struct {
	Name        string        // name as in the .proto: FetchGreeting
	Budget      time.Duration // longest time that it may hold the thread; 0: the host's default
	Deadline    time.Duration // longest duration of a call; 0: the host's default
	Idempotency Idempotency   // effect of repeating a call

	StreamsRequests  bool // callers stream requests
	StreamsResponses bool // handlers stream responses
}

// flags returns the properties of the method in the manifest.
func (m *Method) flags() abi.MethodFlags {
	flags := abi.MethodFlags(m.Idempotency) << abi.IdempotencyShift
	if m.StreamsRequests {
		flags |= abi.StreamsRequests
	}
	if m.StreamsResponses {
		flags |= abi.StreamsResponses
	}
	return flags
}

// Idempotency is the effect of repeating a call, as the .proto declares it with the option
// idempotency_level.
type Idempotency uint8

// The effects.
const (
	IdempotencyUnknown Idempotency = iota // not declared: a second call may have another effect
	NoSideEffects                         // the method has no side effects
	Idempotent                            // repeating a call has the effect of one call
)

// Requirement is a service that a guest requires.
type Requirement struct {
	service *Service
	binding string
}

// Require returns the requirement of that service.
func Require(service *Service) Requirement { return Requirement{service: service} }

// RequireDynamic returns the requirement of a service by its full name, greeting.v1.Greeting,
// without generated code: see [LocateDynamic].
func RequireDynamic(service string) Requirement {
	return Requirement{service: &Service{Name: service}}
}

// As returns the requirement with the name of a binding. The deployment binds the name to an
// exporter, and [LocateNamed] locates it. So a guest can use several exporters of one service:
//
//	pb.RunShop(ctx, shop, pb.RequireKv().As("cache"), pb.RequireKv().As("store"))
func (r Requirement) As(binding string) Requirement {
	r.binding = binding
	return r
}

// describe returns the entry of the service in the manifest.
func (s *Service) describe() abi.Service {
	described := abi.Service{Name: s.Name, Schema: s.Schema}
	for _, method := range s.Methods {
		described.Methods = append(described.Methods, abi.Method{
			Name:       method.Name,
			BudgetNS:   uint64(method.Budget),
			DeadlineNS: uint64(method.Deadline),
			Flags:      method.flags(),
		})
	}
	return described
}

// manifest returns the manifest of a guest, with descriptors if the host requests them.
func manifest(g *guest.Guest, exports []Export, requires []Requirement) abi.Manifest {
	var manifest abi.Manifest
	var descriptors []string
	for _, export := range exports {
		manifest.Exports = append(manifest.Exports, export.Service.describe())
		descriptors = append(descriptors, export.Service.Descriptors)
	}
	for _, requirement := range requires {
		manifest.Requires = append(manifest.Requires, abi.Requirement{
			Service: requirement.service.describe(),
			Binding: requirement.binding,
		})
		descriptors = append(descriptors, requirement.service.Descriptors)
	}
	if g.WantsDescriptors() {
		// Services of one file share their descriptors.
		slices.Sort(descriptors)
		for _, files := range slices.Compact(descriptors) {
			manifest.Descriptors = append(manifest.Descriptors, files...)
		}
	}
	return manifest
}
