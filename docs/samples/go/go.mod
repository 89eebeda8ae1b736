module example.com/samples

go 1.26

require (
	example.com/helloworld v0.0.0
	github.com/parigot/parigot/parigot-guest-go v0.0.0
	parigot.test/guests v0.0.0
)

require google.golang.org/protobuf v1.36.12

replace (
	example.com/helloworld => ../../../examples/helloworld-go
	github.com/parigot/parigot/parigot-guest-go => ../../../parigot-guest-go
	parigot.test/guests => ../../../tests/guests-go
)
