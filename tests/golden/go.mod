// Output of protoc-gen-parigot in Go for each case. A test compiles the output together with that
// of protoc-gen-go, which the test adds.
module golden.example

go 1.26

tool google.golang.org/protobuf/cmd/protoc-gen-go

require (
	github.com/parigot/parigot/parigot-guest-go v0.0.0
	google.golang.org/protobuf v1.36.12
)

replace github.com/parigot/parigot/parigot-guest-go => ../../parigot-guest-go
