// Package idpb provides the message form of ids, parigot.v1.Id. A .proto imports the message from
// parigot/v1/id.proto.
package idpb
