// Package options holds the messages of parigot/v1/options.proto, with which a .proto says more of its services and methods: the code that
// protoc-gen-go writes for such a .proto imports it. Programs have no use for it themselves.
package options
