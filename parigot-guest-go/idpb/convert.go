package idpb

import "github.com/parigot/parigot/parigot-guest-go/id"

// New returns the message form of an id.
func New[T id.Type](of id.ID[T]) *Id {
	high, low := of.Wire()
	return &Id{High: high, Low: low}
}

// As returns the id in a message. The error of an absent field, a nil message, and of a message
// without content is an [id.MissingError]. The error of an id of another type is an [id.TypeError].
func As[T id.Type](message *Id) (id.ID[T], error) {
	if message.GetHigh() == 0 && message.GetLow() == 0 {
		var t T
		return id.ID[T]{}, id.MissingError{Expected: t.Name()}
	}
	return id.FromWire[T](message.GetHigh(), message.GetLow())
}
