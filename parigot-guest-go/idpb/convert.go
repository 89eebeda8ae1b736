package idpb

import "github.com/parigot/parigot/parigot-guest-go/id"

// New returns the message of an id.
func New[T id.Type](of id.ID[T]) *Id {
	high, low := of.Wire()
	return &Id{High: high, Low: low}
}

// As returns the id of that type which a message bears; an empty one if the message is nil, a field that nobody has set. It is an error if the id is of
// another type.
func As[T id.Type](message *Id) (id.ID[T], error) {
	return id.FromWire[T](message.GetHigh(), message.GetLow())
}
