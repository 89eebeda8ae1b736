// Its path lies below that of the Go SDK's module, whose internal packages it needs.
module github.com/parigot/parigot/parigot-guest-go/probe

go 1.26

require github.com/parigot/parigot/parigot-guest-go v0.0.0

replace github.com/parigot/parigot/parigot-guest-go => ../../../parigot-guest-go
