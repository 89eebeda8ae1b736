package parigot

import (
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

// ABIv1 exists in versions of this package for version 1 of the guest ABI. Generated code refers to
// it, so that code for another version does not compile.
const ABIv1 = 1

// Service is the static description of a service, which guest and host must agree on. The generator
// writes it.
type Service struct {
	Name        string // full name: greeting.v1.Greeting
	Schema      uint64 // hash of the schema
	Methods     []Method
	Descriptors []byte // serialized FileDescriptorSet, or nil
}

// Method is a method of a [Service]. Calls identify a method by its index.
type Method struct {
	Name       string        // name as in the .proto: FetchGreeting
	Budget     time.Duration // longest time that it may hold the thread; 0: the host's default
	Deadline   time.Duration // longest duration of a call; 0: the host's default
	Idempotent bool          // true if a call may run twice
}

// Requirement is a service that a guest requires.
type Requirement struct{ service *Service }

// Require returns the requirement of that service.
func Require(service *Service) Requirement { return Requirement{service} }

// RequireDynamic returns the requirement of a service by its full name, greeting.v1.Greeting,
// without generated code: see [LocateDynamic].
func RequireDynamic(service string) Requirement { return Requirement{&Service{Name: service}} }

// describe returns the entry of the service in the manifest.
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

// manifest returns the manifest of a guest, with descriptors if the host requests them.
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
