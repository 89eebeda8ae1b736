package samples

import (
	"fmt"

	"github.com/parigot/parigot/parigot-guest-go/idpb"
)

// Sell returns the id in the field of a request, for a handler.
func Sell(of *idpb.Id) (*idpb.Id, error) {
	// ANCHOR: message
	ticket, err := idpb.As[ticketID](of)
	if err != nil {
		return nil, fmt.Errorf("ticket: %w", err) // fails the call with INVALID_ARGUMENT
	}
	return idpb.New(ticket), nil
	// ANCHOR_END: message
}
