package idpb

import "github.com/parigot/parigot/parigot-guest-go/id"

// New returns the message form of an id.
func New[T id.Type](of id.ID[T]) *Id {
	high, low := of.Wire()
	return &Id{High: high, Low: low}
}

// As returns the id in a message. A nil message, an unset field, gives the empty id. The error of
// an id of another type is an [id.TypeError].
func As[T id.Type](message *Id) (id.ID[T], error) {
	return id.FromWire[T](message.GetHigh(), message.GetLow())
}
