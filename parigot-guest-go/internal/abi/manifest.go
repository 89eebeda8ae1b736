package abi

import (
	"encoding/binary"
	"strings"
)

// Manifest lists the services that a guest exports and requires.
type Manifest struct {
	Exports     []Service     // services that other guests may call
	Requires    []Requirement // services that this guest will call
	Descriptors []byte        // a FileDescriptorSet of the whole guest, or empty
}

// Requirement is a service that a guest requires.
type Requirement struct {
	Service
	// Binding is the name of the binding, or empty. It distinguishes several requirements of one
	// service.
	Binding string
}

// Service is a service that a guest exports or requires.
type Service struct {
	Name    string // full name, greeting.v1.Greeting
	Schema  uint64 // hash of the schema, computed by the generator
	Methods []Method
}

// ByName reports whether the service is required by name only.
func (s *Service) ByName() bool { return s.Schema == 0 && len(s.Methods) == 0 }

// Method is a method of a service. Calls identify a method by its index.
type Method struct {
	Name       string // name as in the .proto, FetchGreeting
	BudgetNS   uint64 // longest time that the method may hold the thread; 0: the host's default
	DeadlineNS uint64 // longest duration of a call; 0: the host's default
	Flags      MethodFlags
}

// MethodFlags are the properties of a method. Bits unknown to this version are kept.
type MethodFlags uint32

// The properties of a method.
const (
	StreamsRequests  MethodFlags = 1      // the caller streams requests
	StreamsResponses MethodFlags = 1 << 1 // the callee streams responses

	// IdempotencyShift is the position of two bits with the effect of repeating a call: 0 unknown,
	// 1 no side effects, 2 idempotent.
	IdempotencyShift = 2
)

// Texts behind the name of a method in the metadata of [KindLaunched].
const (
	requestsSuffix  = " requests"
	responsesSuffix = " responses"
)

// Streams returns the flags of the sides that stream, without all others.
func (f MethodFlags) Streams() MethodFlags { return f & (StreamsRequests | StreamsResponses) }

// NameSuffix returns the text behind the name of a method in the metadata of [KindLaunched]: the
// sides that stream.
func (f MethodFlags) NameSuffix() (suffix string) {
	if f&StreamsRequests != 0 {
		suffix += requestsSuffix
	}
	if f&StreamsResponses != 0 {
		suffix += responsesSuffix
	}
	return suffix
}

// SplitMethodName splits a method in the metadata of [KindLaunched] into its name and the flags of
// the sides that stream.
func SplitMethodName(method string) (name string, streams MethodFlags) {
	end := strings.IndexByte(method, ' ')
	if end < 0 {
		return method, 0
	}
	for _, flags := range []MethodFlags{
		StreamsRequests, StreamsResponses, StreamsRequests | StreamsResponses,
	} {
		if method[end:] == flags.NameSuffix() {
			streams = flags
		}
	}
	return method[:end], streams
}

// ReadManifest reads the payload of a manifest frame.
func ReadManifest(payload []byte) (Manifest, error) {
	in := cursor{bytes: payload}
	manifest := Manifest{
		Exports:     readList(&in, "how many services are exported", readService),
		Requires:    readList(&in, "how many services are required", readRequirement),
		Descriptors: in.counted("the descriptors"),
	}
	return manifest, in.end()
}

// readList reads a count and that many items. Memory grows with the items in the input, not with
// the announced count.
func readList[T any](in *cursor, expected string, read func(*cursor) T) []T {
	var items []T
	for count := in.uint32(expected); count > 0 && in.err == nil; count-- {
		items = append(items, read(in))
	}
	return items
}

func readService(in *cursor) Service {
	return Service{
		Name:    in.string("a service's name"),
		Schema:  in.uint64("a service's schema hash"),
		Methods: readList(in, "how many methods the service has", readMethod),
	}
}

func readRequirement(in *cursor) Requirement {
	return Requirement{readService(in), in.string("the name of a requirement's binding")}
}

func readMethod(in *cursor) Method {
	return Method{
		Name:       in.string("a method's name"),
		BudgetNS:   in.uint64("a method's budget"),
		DeadlineNS: in.uint64("a method's deadline"),
		Flags:      MethodFlags(in.uint32("a method's flags")),
	}
}

// Append appends the payload to out.
func (m *Manifest) Append(out []byte) []byte {
	le := binary.LittleEndian
	out = le.AppendUint32(out, uint32(len(m.Exports)))
	for _, service := range m.Exports {
		out = service.append(out)
	}
	out = le.AppendUint32(out, uint32(len(m.Requires)))
	for _, requirement := range m.Requires {
		out = appendString(requirement.append(out), requirement.Binding)
	}
	return appendBytes(out, m.Descriptors)
}

func (s *Service) append(out []byte) []byte {
	le := binary.LittleEndian
	out = appendString(out, s.Name)
	out = le.AppendUint64(out, s.Schema)
	out = le.AppendUint32(out, uint32(len(s.Methods)))
	for _, method := range s.Methods {
		out = appendString(out, method.Name)
		out = le.AppendUint64(out, method.BudgetNS)
		out = le.AppendUint64(out, method.DeadlineNS)
		out = le.AppendUint32(out, uint32(method.Flags))
	}
	return out
}
