module example.com/shop

go 1.26

require (
	github.com/parigot/parigot/parigot-guest-go v0.0.0
	google.golang.org/protobuf v1.36.12
)

replace github.com/parigot/parigot/parigot-guest-go => ../../parigot-guest-go
