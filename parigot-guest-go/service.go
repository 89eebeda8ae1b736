package parigot

import (
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// ABIv1 is what generated code names to say that it needs a package for version 1 of the guest ABI.
const ABIv1 = 1

// Service is a service's static table: what guest and host must agree on. The generator writes it.
type Service struct {
	Name        string // with its package: greeting.v1.Greeting
	Schema      uint64 // a hash of the schema
	Methods     []Method
	Descriptors []byte // a serialized FileDescriptorSet, or nil
}

// Method is one method of a [Service]; calls name it by its place.
type Method struct {
	Name       string        // as in the .proto: FetchGreeting
	Budget     time.Duration // how long it may hold the thread; 0 for the host's default
	Deadline   time.Duration // how long a call may take; 0 for the host's default
	Idempotent bool          // whether a call may run twice
}

// Requirement is a service that a guest will call.
type Requirement struct{ service *Service }

// Require returns the requirement of that service.
func Require(service *Service) Requirement { return Requirement{service} }

// RequireDynamic returns the requirement of a service of which nothing but its full name is known, greeting.v1.Greeting: see [LocateDynamic].
func RequireDynamic(service string) Requirement { return Requirement{&Service{Name: service}} }

// describe returns what the manifest says of the service.
func (s *Service) describe(withDescriptors bool) abi.Service {
	described := abi.Service{Name: s.Name, Schema: s.Schema}
	if withDescriptors {
		described.Descriptors = s.Descriptors
	}
	for _, method := range s.Methods {
		described.Methods = append(described.Methods, abi.Method{
			Name:       method.Name,
			BudgetNS:   uint64(method.Budget),
			DeadlineNS: uint64(method.Deadline),
		})
	}
	return described
}

// manifest returns what a guest says first; with descriptors if the host wants them.
func manifest(g *guest.Guest, exports []Export, requires []Requirement) abi.Manifest {
	withDescriptors := g.WantsDescriptors()
	var manifest abi.Manifest
	for _, export := range exports {
		manifest.Exports = append(manifest.Exports, export.Service.describe(withDescriptors))
	}
	for _, requirement := range requires {
		manifest.Requires = append(manifest.Requires, requirement.service.describe(withDescriptors))
	}
	return manifest
}
