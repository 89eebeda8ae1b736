package parigottest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
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
	asked   event // it has asked to be launched
	up      event // it is ready, or will never be

	// The rest is under the host's lock.
	phase       phase
	manifest    abi.Manifest
	links       []link
	inbound     map[uint64]*transit // by the callee's number
	outbound    map[uint64]*transit // by the caller's number
	lastInbound uint64
	exitStatus  int
	whyNotReady string
}

// phase is how far a guest is.
type phase uint8

const (
	starting phase = iota
	waiting        // for what it requires
	launched       // it makes itself ready
	ready          // it takes calls
	ended
)

// link is where the calls to a required service go.
type link struct {
	callee  *Guest
	service uint32
	methods []methodLink

	introduction []byte // the names of the methods, if the service is required by name
}

type methodLink struct {
	place    int // -1 where the callee lacks it
	deadline time.Duration
}

// transit is a call in flight.
type transit struct {
	caller, callee         *Guest
	callerNumber, atCallee uint64
	id                     id.CallID
	timer                  *time.Timer
}

func newLink(required abi.Service, callee *Guest, place int) link {
	exported := callee.manifest.Exports[place]
	l := link{callee: callee, service: uint32(place)}
	if required.ByName() {
		required.Methods = exported.Methods
		for _, method := range exported.Methods {
			l.introduction = abi.AppendPair(l.introduction, required.Name, method.Name)
		}
	}
	for _, wanted := range required.Methods {
		method := methodLink{place: -1}
		for k, offered := range exported.Methods {
			if offered.Name == wanted.Name {
				method = methodLink{k, time.Duration(offered.DeadlineNS)}
			}
		}
		l.methods = append(l.methods, method)
	}
	return l
}

// Context returns the context of the guest, with which a test acts as it.
func (g *Guest) Context() context.Context { return g.ctx }

// Wait blocks until the guest has left, and returns its exit status.
func (g *Guest) Wait() int {
	<-g.guest.Gone()
	g.host.mu.Lock()
	defer g.host.mu.Unlock()
	return g.exitStatus
}

// awaitReady blocks until the guest is ready, and ends the test if that cannot be.
func (g *Guest) awaitReady() {
	g.host.t.Helper()
	g.asked.await()
	if err := g.host.missing(g); err != nil {
		g.host.t.Fatal(err)
	}
	g.up.await()
	g.host.mu.Lock()
	defer g.host.mu.Unlock()
	if g.whyNotReady != "" {
		g.host.t.Fatalf("%s is not ready: %s", g.name, g.whyNotReady)
	}
}

// stop tells the guest to leave, and its handlers that nobody waits any more.
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
		g.host.t.Errorf("%s has not left %v after it was told to: is a handler deaf to its context?", g.name, grace)
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

// deliver hands over what comes, one after the other.
func (g *Guest) deliver() {
	for {
		frame, ok := g.mailbox.take()
		if !ok {
			return
		}
		if err := g.guest.Take(frame); err != nil {
			panic(err) // a mistake of this package
		}
	}
}

// Progress is for budgets, which there are none of.
func (g *Guest) Progress(uint64, uint32, uint32) {}

// Send carries out what the guest has sent.
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
			panic(err) // a mistake of package parigot
		}
		g.manifest = manifest
	case abi.KindLaunch:
		g.phase = waiting
		g.asked.happen()
		g.host.launchThoseThatMay()
	case abi.KindReply:
		if frame.Number == abi.LaunchNumber {
			g.routeReady(frame)
		} else {
			g.routeReply(frame, payload)
		}
	case abi.KindCall:
		g.routeCall(frame, payload)
	case abi.KindCancel:
		if call := g.outbound[frame.Number]; call != nil {
			call.cancel()
		}
	case abi.KindLog:
		g.host.t.Logf("%v %s %s", abi.Level(frame.Status), g.name, payload)
	case abi.KindExit:
		g.exit(int(frame.Status), string(payload))
	}
}

func (g *Guest) launchedFrame() abi.Frame {
	frame := frameOf(abi.KindLaunched, abi.LaunchNumber)
	for handle, link := range g.links {
		frame.Metadata = append(frame.Metadata, link.introduction...)
		frame.Payload = binary.LittleEndian.AppendUint32(frame.Payload, uint32(handle))
	}
	return frame
}

func (g *Guest) routeReady(frame *abi.Frame) {
	if frame.Status != uint32(abi.OK) {
		g.whyNotReady = abi.ReadDetail(frame.Detail).Message
		g.up.happen()
		return
	}
	g.phase = ready
	g.up.happen()
	g.host.launchThoseThatMay()
}

func (g *Guest) routeCall(frame *abi.Frame, payload []byte) {
	l := g.links[frame.Service]
	method := l.methods[frame.Method]
	call := &transit{caller: g, callee: l.callee, callerNumber: frame.Number, id: id.New[id.Call]()}
	switch {
	case l.callee.phase == ended:
		call.fail(abi.Unavailable, abi.CauseUnreachable, l.callee.name+" is not running")
		return
	case method.place < 0:
		call.fail(abi.Unimplemented, abi.CauseNoSuchMethod, l.callee.name+" has no such method")
		return
	}
	l.callee.lastInbound++
	call.atCallee = l.callee.lastInbound
	g.outbound[call.callerNumber], l.callee.inbound[call.atCallee] = call, call

	deadline := g.deadline(frame, method)
	call.timer = time.AfterFunc(time.Until(deadline), call.expire)
	arriving := frameOf(abi.KindCall, call.atCallee)
	arriving.Service, arriving.Method = l.service, uint32(method.place)
	arriving.DeadlineNS = l.callee.guest.NS(deadline)
	arriving.ID[0], arriving.ID[1] = call.id.Wire()
	arriving.Metadata, arriving.Payload = bytes.Clone(frame.Metadata), payload
	l.callee.post(arriving)
}

func (g *Guest) deadline(frame *abi.Frame, method methodLink) time.Time {
	switch {
	case frame.DeadlineNS != abi.NoDeadline:
		return g.guest.Time(frame.DeadlineNS)
	case method.deadline != 0:
		return time.Now().Add(method.deadline)
	}
	return time.Now().Add(deadlineDefault)
}

func (g *Guest) routeReply(frame *abi.Frame, payload []byte) {
	call := g.inbound[frame.Number]
	if call == nil {
		panic(fmt.Sprintf("%s answered call %d, which it does not have", g.name, frame.Number))
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
		g.whyNotReady = cmp.Or(why, "it has left")
	}
	g.asked.happen()
	g.up.happen()
	g.phase, g.exitStatus = ended, status
	for _, call := range g.inbound {
		if call.end() {
			call.fail(abi.Unavailable, abi.CauseCalleeExited, fmt.Sprintf("%s left with status %d while it had this call", g.name, status))
		}
	}
	for _, call := range g.outbound {
		call.cancel()
	}
}

// end forgets the call at its caller, and reports whether that has waited for it.
func (c *transit) end() bool {
	waits := c.caller.outbound[c.callerNumber] == c
	if waits {
		delete(c.caller.outbound, c.callerNumber)
		c.timer.Stop()
	}
	return waits
}

// cancel tells the callee that nobody waits any more.
func (c *transit) cancel() {
	if c.end() {
		c.callee.post(frameOf(abi.KindCancel, c.atCallee))
	}
}

// expire ends the call at its deadline.
func (c *transit) expire() {
	c.caller.host.mu.Lock()
	defer c.caller.host.mu.Unlock()
	if c.caller.outbound[c.callerNumber] == c {
		c.fail(abi.DeadlineExceeded, abi.CauseTimedOut, "it was not answered in time")
		c.cancel()
	}
}

// fail tells the caller that there is no answer.
func (c *transit) fail(code abi.Code, cause abi.Cause, message string) {
	reply := frameOf(abi.KindReply, c.callerNumber)
	reply.Status = uint32(code)
	reply.ID[0], reply.ID[1] = c.id.Wire()
	reply.Detail = abi.Detail{Cause: cause, Instance: c.callee.guest.Instance(), Message: message}.Append(nil)
	c.caller.post(reply)
}
