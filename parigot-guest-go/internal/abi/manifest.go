package abi

import "encoding/binary"

// Manifest lists the services that a guest exports and requires.
type Manifest struct {
	Exports  []Service // services that other guests may call
	Requires []Service // services that this guest will call
}

// Service is a service that a guest exports or requires.
type Service struct {
	Name        string // full name, greeting.v1.Greeting
	Schema      uint64 // hash of the schema, computed by the generator
	Methods     []Method
	Descriptors []byte // a FileDescriptorSet, or empty
}

// ByName reports whether the service is required by name only.
func (s *Service) ByName() bool { return s.Schema == 0 && len(s.Methods) == 0 }

// Method is a method of a service. Calls identify a method by its index.
type Method struct {
	Name       string // name as in the .proto, FetchGreeting
	BudgetNS   uint64 // longest time that the method may hold the thread; 0: the host's default
	DeadlineNS uint64 // longest duration of a call; 0: the host's default
}

// ReadManifest reads the payload of a manifest frame.
func ReadManifest(payload []byte) (Manifest, error) {
	in := cursor{bytes: payload}
	manifest := Manifest{
		Exports:  readServices(&in, "how many services are exported"),
		Requires: readServices(&in, "how many services are required"),
	}
	return manifest, in.end()
}

// readServices reads a count and that many services. Memory grows with the services in the input,
// not with the announced count.
func readServices(in *cursor, expected string) []Service {
	var services []Service
	for count := in.uint32(expected); count > 0 && in.err == nil; count-- {
		services = append(services, Service{
			Name:        in.string("a service's name"),
			Schema:      in.uint64("a service's schema hash"),
			Methods:     readMethods(in),
			Descriptors: in.counted("a service's descriptors"),
		})
	}
	return services
}

func readMethods(in *cursor) []Method {
	var methods []Method
	count := in.uint32("how many methods the service has")
	for ; count > 0 && in.err == nil; count-- {
		methods = append(methods, Method{
			Name:       in.string("a method's name"),
			BudgetNS:   in.uint64("a method's budget"),
			DeadlineNS: in.uint64("a method's deadline"),
		})
	}
	return methods
}

// Append appends the payload to out.
func (m *Manifest) Append(out []byte) []byte {
	le := binary.LittleEndian
	for _, services := range [][]Service{m.Exports, m.Requires} {
		out = le.AppendUint32(out, uint32(len(services)))
		for _, service := range services {
			out = appendString(out, service.Name)
			out = le.AppendUint64(out, service.Schema)
			out = le.AppendUint32(out, uint32(len(service.Methods)))
			for _, method := range service.Methods {
				out = appendString(out, method.Name)
				out = le.AppendUint64(out, method.BudgetNS)
				out = le.AppendUint64(out, method.DeadlineNS)
			}
			out = appendBytes(out, service.Descriptors)
		}
	}
	return out
}
