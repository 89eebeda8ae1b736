// Package options provides the messages of parigot/v1/options.proto, the options of services and
// methods. The code that protoc-gen-go generates for a .proto with such options imports this
// package. Programs do not use it directly.
package options
