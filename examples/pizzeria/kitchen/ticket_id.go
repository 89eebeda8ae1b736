// Written by `parigot boilerplateid --lang go Ticket tkt`; edit it as you like.

package main

import "github.com/parigot/parigot/parigot-guest-go/id"

// TicketID is the id of a Ticket. Its methods String and Wire lead to its text form and to two
// fixed64 of a message.
type TicketID = id.ID[ticketID]

// ticketID is a marker that gives TicketID a type of its own.
type ticketID struct{}

func (ticketID) Name() string   { return "TicketID" }
func (ticketID) Prefix() string { return "tkt" }

// NewTicketID returns a new id.
func NewTicketID() TicketID { return id.New[ticketID]() }

// ParseTicketID parses the text form.
func ParseTicketID(text string) (TicketID, error) { return id.Parse[ticketID](text) }

// TicketIDFromWire converts two fixed64 of a message.
func TicketIDFromWire(high, low uint64) (TicketID, error) {
	return id.FromWire[ticketID](high, low)
}
