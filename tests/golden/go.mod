// What protoc-gen-parigot writes in Go for each case. It compiles beside what protoc-gen-go writes, which the test that
// compiles it adds.
module golden.example

go 1.26

tool google.golang.org/protobuf/cmd/protoc-gen-go

require (
	github.com/parigot/parigot/parigot-guest-go v0.0.0
	google.golang.org/protobuf v1.36.12
)

replace github.com/parigot/parigot/parigot-guest-go => ../../parigot-guest-go
