package parigottest

import (
	"fmt"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
)

// flow is one direction of a call that streams, with the rules of a host.
type flow struct {
	streams       bool
	sent, granted abi.Credit
	hasEnded      bool
}

func newFlow(streams bool) flow { return flow{streams: streams, granted: abi.InitialCredit} }

// count counts an item. It returns the rule that the item violates, or an empty text.
func (f *flow) count(item []byte) string {
	switch {
	case !f.streams:
		return "an item in a direction that does not stream"
	case f.hasEnded:
		return "an item behind the end"
	case !f.granted.Permits(f.sent):
		return "an item without credit"
	}
	f.sent = f.sent.WithItem(len(item))
	return ""
}

func (f *flow) grant(credit abi.Credit) string {
	if !f.streams {
		return "credit in a direction that does not stream"
	}
	f.granted = f.granted.Max(credit)
	return ""
}

func (f *flow) end() string {
	if !f.streams || f.hasEnded {
		return "an end that no stream needs"
	}
	f.hasEnded = true
	return ""
}

// routeStream passes an item, a credit or an end to the other side of its call, unless the call has
// ended.
func (g *Guest) routeStream(frame *abi.Frame, payload []byte) {
	checked := *frame
	checked.Payload = payload
	read, err := abi.ReadStreamFrame(&checked)
	if err != nil {
		panic(err) // a bug in package parigot
	}
	call := g.inbound[frame.Number]
	if read.ToCallee {
		call = g.outbound[frame.Number]
	}
	if call == nil || !call.isOutstanding() {
		return
	}
	other, number, sent, received := call.caller, call.callerNumber, &call.responses, &call.requests
	if read.ToCallee {
		other, number, sent, received = call.callee, call.atCallee, &call.requests, &call.responses
	} else {
		call.hasBegun()
	}
	var violation string
	switch read.Kind {
	case abi.KindItem:
		violation = sent.count(read.Item)
	case abi.KindCredit:
		violation = received.grant(read.Credit)
	case abi.KindEnd:
		violation = sent.end()
	}
	if violation != "" {
		panic(fmt.Sprintf("%s sent %s", g.name, violation)) // a bug in package parigot
	}
	passed := frameOf(read.Kind, number)
	passed.Flags = frame.Flags
	passed.Payload = payload
	other.post(passed)
}
