// Package idpb has the message in which ids travel, parigot.v1.Id, which a .proto imports from parigot/v1/id.proto.
package idpb
