// Written by `parigot boilerplateid --lang go Order ord`; edit it as you like.

package main

import "github.com/parigot/parigot/parigot-guest-go/id"

// OrderID is the id of an order. Its methods String and Wire lead to its text form and to two
// fixed64 of a message.
type OrderID = id.ID[orderID]

// orderID is a marker that gives OrderID a type of its own.
type orderID struct{}

func (orderID) Name() string   { return "OrderID" }
func (orderID) Prefix() string { return "ord" }

// NewOrderID returns a new id.
func NewOrderID() OrderID { return id.New[orderID]() }

// ParseOrderID parses the text form.
func ParseOrderID(text string) (OrderID, error) { return id.Parse[orderID](text) }

// OrderIDFromWire converts two fixed64 of a message.
func OrderIDFromWire(high, low uint64) (OrderID, error) {
	return id.FromWire[orderID](high, low)
}
