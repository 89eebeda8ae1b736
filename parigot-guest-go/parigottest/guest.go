package parigottest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/id"
	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
	"google.golang.org/protobuf/proto"
)

// Guest is a service or a program that a [Host] runs.
type Guest struct {
	host    *Host
	name    string
	guest   *guest.Guest
	ctx     context.Context
	mailbox *mailbox
	asked   event // the guest has requested its launch, or has exited
	up      event // the guest is ready, or will never be

	// The host's mutex guards the fields below.
	phase       phase
	manifest    abi.Manifest
	bindings    []binding           // one for each required service, by handle
	inbound     map[uint64]*transit // by the number at the callee
	outbound    map[uint64]*transit // by the number at the caller
	lastInbound uint64
	exitStatus  int
	startError  string // reason for which the guest will never be ready, or empty
}

// phase is the state of a guest.
type phase uint8

const (
	starting phase = iota
	waiting        // waits for its required services
	launched       // becomes ready
	ready          // serves calls
	ended
)

// binding is the destination of calls to a required service.
type binding struct {
	callee  *Guest
	service uint32
	methods []methodBinding

	methodNames []byte // metadata with the methods, if the service is required by name
}

type methodBinding struct {
	index    int // -1 if the callee lacks the method, or streams in other directions
	deadline time.Duration

	streamsRequests, streamsResponses bool
}

// transit is a call in flight.
type transit struct {
	caller, callee         *Guest
	callerNumber, atCallee uint64
	id                     id.CallID
	timer                  *time.Timer
	endsWithFrame          bool // the timer ends with the first frame of the callee
	requests, responses    flow
}

func newBinding(handle int, required abi.Service, callee *Guest, index int) binding {
	exported := callee.manifest.Exports[index]
	b := binding{callee: callee, service: uint32(index)}
	if required.ByName() {
		required.Methods = exported.Methods
		for _, method := range exported.Methods {
			name := method.Name + method.Flags.NameSuffix()
			b.methodNames = abi.AppendPair(b.methodNames, strconv.Itoa(handle), name)
		}
	}
	for _, wanted := range required.Methods {
		method := methodBinding{index: -1}
		for k, offered := range exported.Methods {
			if offered.Name == wanted.Name && offered.Flags.Streams() == wanted.Flags.Streams() {
				method = methodBinding{
					index:            k,
					deadline:         time.Duration(offered.DeadlineNS),
					streamsRequests:  offered.Flags&abi.StreamsRequests != 0,
					streamsResponses: offered.Flags&abi.StreamsResponses != 0,
				}
			}
		}
		b.methods = append(b.methods, method)
	}
	return b
}

// Context returns the context of the guest. A test uses it to act as the guest.
func (g *Guest) Context() context.Context { return g.ctx }

// Wait blocks until the guest has exited, and returns the exit status.
func (g *Guest) Wait() int {
	<-g.guest.Gone()
	g.host.mu.Lock()
	defer g.host.mu.Unlock()
	return g.exitStatus
}

// awaitReady blocks until the guest is ready, and fails the test if it never will be.
func (g *Guest) awaitReady() {
	g.host.t.Helper()
	g.asked.await()
	if err := g.host.missing(g); err != nil {
		g.host.t.Fatal(err)
	}
	g.up.await()
	g.host.mu.Lock()
	defer g.host.mu.Unlock()
	if g.startError != "" {
		g.host.t.Fatalf("%s is not ready: %s", g.name, g.startError)
	}
}

// stop cancels the outstanding calls and requests the exit of the guest.
func (g *Guest) stop() {
	g.host.mu.Lock()
	for number := range g.inbound {
		g.post(frameOf(abi.KindCancel, number))
	}
	g.host.mu.Unlock()
	g.post(frameOf(abi.KindStop, 0))
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-g.guest.Gone():
	case <-late.C:
		const text = "%s has not exited %v after the request: does a handler ignore its context?"
		g.host.t.Errorf(text, g.name, grace)
	}
	g.guest.Close()
	g.mailbox.close()
}

func frameOf(kind abi.Kind, number uint64) abi.Frame {
	frame := abi.Frame{Header: abi.NewHeader(kind)}
	frame.Number = number
	return frame
}

func (g *Guest) post(frame abi.Frame) { g.mailbox.put(frame) }

// deliver passes the frames of the mailbox to the guest, in order.
func (g *Guest) deliver() {
	for {
		frame, ok := g.mailbox.take()
		if !ok {
			return
		}
		if err := g.guest.Take(frame); err != nil {
			panic(err) // a bug in this package
		}
	}
}

// Progress does nothing, since there are no time budgets.
func (g *Guest) Progress(uint64, uint32, uint32) {}

// Begin does nothing, since guests of a test do not trap.
func (g *Guest) Begin(uint64) {}

// Send processes a frame of the guest.
func (g *Guest) Send(frame abi.Frame, message proto.Message) error {
	payload := bytes.Clone(frame.Payload)
	if message != nil {
		var err error
		if payload, err = proto.Marshal(message); err != nil {
			return err
		}
	}
	g.host.mu.Lock()
	defer g.host.mu.Unlock()
	g.route(&frame, payload)
	return nil
}

func (g *Guest) route(frame *abi.Frame, payload []byte) {
	switch frame.Kind {
	case abi.KindManifest:
		manifest, err := abi.ReadManifest(payload)
		if err != nil {
			panic(err) // a bug in package parigot
		}
		g.manifest = manifest
	case abi.KindLaunch:
		g.phase = waiting
		g.asked.happen()
		g.host.launchReady()
	case abi.KindReply:
		if frame.Number == abi.LaunchNumber {
			g.routeReady(frame)
		} else {
			g.routeReply(frame, payload)
		}
	case abi.KindCall:
		g.routeCall(frame, payload)
	case abi.KindOpen:
		if call := g.inbound[frame.Number]; call != nil && call.isOutstanding() {
			call.hasBegun()
			open := frameOf(abi.KindOpen, call.callerNumber)
			open.Metadata = frame.Metadata
			call.caller.post(open)
		}
	case abi.KindItem, abi.KindCredit, abi.KindEnd:
		g.routeStream(frame, payload)
	case abi.KindCancel:
		if call := g.outbound[frame.Number]; call != nil {
			call.cancel()
		}
	case abi.KindLog:
		g.host.t.Logf("%v %s %s%s", abi.Level(frame.Status), g.name, payload, fieldsOf(frame))
	case abi.KindExit:
		g.exit(int(frame.Status), string(payload))
	}
}

// fieldsOf returns the fields of a log frame as text.
func fieldsOf(frame *abi.Frame) string {
	pairs, err := frame.Pairs()
	if err != nil {
		panic(err) // a bug in package parigot
	}
	var text strings.Builder
	for _, pair := range pairs {
		fmt.Fprintf(&text, " %s=%s", pair.Key, pair.Value)
	}
	return text.String()
}

func (g *Guest) launchedFrame() abi.Frame {
	frame := frameOf(abi.KindLaunched, abi.LaunchNumber)
	for handle, b := range g.bindings {
		frame.Metadata = append(frame.Metadata, b.methodNames...)
		frame.Payload = binary.LittleEndian.AppendUint32(frame.Payload, uint32(handle))
	}
	return frame
}

func (g *Guest) routeReady(frame *abi.Frame) {
	if frame.Status != uint32(abi.OK) {
		g.startError = abi.ReadDetail(frame.Detail).Message
		g.up.happen()
		return
	}
	g.phase = ready
	g.up.happen()
	g.host.launchReady()
}

func (g *Guest) routeCall(frame *abi.Frame, payload []byte) {
	b := g.bindings[frame.Service]
	method := b.methods[frame.Method]
	call := &transit{
		caller:       g,
		callee:       b.callee,
		callerNumber: frame.Number,
		id:           id.New[id.Call](),
		requests:     newFlow(method.streamsRequests),
		responses:    newFlow(method.streamsResponses),
	}
	switch {
	case b.callee.phase == ended:
		call.fail(abi.Unavailable, abi.CauseUnreachable, b.callee.name+" is not running")
		return
	case method.index < 0:
		call.fail(abi.Unimplemented, abi.CauseNoSuchMethod, b.callee.name+" has no such method")
		return
	}
	b.callee.lastInbound++
	call.atCallee = b.callee.lastInbound
	g.outbound[call.callerNumber] = call
	b.callee.inbound[call.atCallee] = call

	deadline, isDefault := g.deadline(frame, method)
	call.timer = time.AfterFunc(time.Until(deadline), call.expire)
	incoming := frameOf(abi.KindCall, call.atCallee)
	incoming.Service = b.service
	incoming.Method = uint32(method.index)
	call.endsWithFrame = isDefault && (method.streamsRequests || method.streamsResponses)
	if !call.endsWithFrame { // else the handler's own calls would inherit the deadline
		incoming.DeadlineNS = b.callee.guest.NS(deadline)
	}
	if frame.DeadlineNS == abi.NoDeadline {
		incoming.Flags |= abi.FlagDefaultDeadline
	}
	incoming.ID[0], incoming.ID[1] = call.id.Wire()
	incoming.Metadata = bytes.Clone(frame.Metadata)
	incoming.Payload = payload
	b.callee.post(incoming)
}

// deadline returns the deadline of a call, and reports whether it is the default of the host.
func (g *Guest) deadline(
	frame *abi.Frame, method methodBinding,
) (deadline time.Time, isDefault bool) {
	switch {
	case frame.DeadlineNS != abi.NoDeadline:
		return g.guest.Time(frame.DeadlineNS), false
	case method.deadline != 0:
		return time.Now().Add(method.deadline), false
	}
	return time.Now().Add(deadlineDefault), true
}

func (g *Guest) routeReply(frame *abi.Frame, payload []byte) {
	call := g.inbound[frame.Number]
	if call == nil {
		panic(fmt.Sprintf("%s answered the unknown call %d", g.name, frame.Number))
	}
	delete(g.inbound, frame.Number)
	if call.end() {
		reply := *frame
		reply.Number = call.callerNumber
		reply.ID[0], reply.ID[1] = call.id.Wire()
		reply.Payload = payload
		if len(frame.Detail) > 0 {
			detail := abi.ReadDetail(frame.Detail)
			detail.Instance = g.guest.Instance()
			reply.Detail = detail.Append(nil)
		}
		call.caller.post(reply)
	}
}

func (g *Guest) exit(status int, why string) {
	if g.phase < ready {
		g.startError = cmp.Or(why, "the guest has exited")
	}
	g.asked.happen()
	g.up.happen()
	g.phase, g.exitStatus = ended, status
	for _, call := range g.inbound {
		if call.end() {
			text := fmt.Sprintf("%s exited with status %d before it replied", g.name, status)
			call.fail(abi.Unavailable, abi.CauseCalleeExited, text)
		}
	}
	for _, call := range g.outbound {
		call.cancel()
	}
}

// end removes the call from its caller, and reports whether the call was still outstanding there.
func (c *transit) end() bool {
	isOutstanding := c.isOutstanding()
	if isOutstanding {
		delete(c.caller.outbound, c.callerNumber)
		c.timer.Stop()
	}
	return isOutstanding
}

// isOutstanding reports whether the caller waits for the call.
func (c *transit) isOutstanding() bool { return c.caller.outbound[c.callerNumber] == c }

// hasBegun ends the wait for the first frame of the callee, which is the only time that the default
// deadline covers if the method streams.
func (c *transit) hasBegun() {
	if c.endsWithFrame {
		c.timer.Stop()
	}
}

// cancel ends the call, and cancels it at the callee.
func (c *transit) cancel() {
	if c.end() {
		c.callee.post(frameOf(abi.KindCancel, c.atCallee))
	}
}

// expire ends the call at its deadline.
func (c *transit) expire() {
	c.caller.host.mu.Lock()
	defer c.caller.host.mu.Unlock()
	if c.isOutstanding() {
		c.fail(abi.DeadlineExceeded, abi.CauseTimedOut, "it was not answered in time")
		c.cancel()
	}
}

// fail sends a failed reply to the caller.
func (c *transit) fail(code abi.Code, cause abi.Cause, message string) {
	reply := frameOf(abi.KindReply, c.callerNumber)
	reply.Status = uint32(code)
	reply.ID[0], reply.ID[1] = c.id.Wire()
	detail := abi.Detail{Cause: cause, Instance: c.callee.guest.Instance(), Message: message}
	reply.Detail = detail.Append(nil)
	c.caller.post(reply)
}
