// Package kvpb provides the generated code of the service parigot.kv.v1.Kv. Package kv has a client
// on top.
package kvpb
