package guest

import (
	"context"
	"testing"
	"time"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"google.golang.org/protobuf/types/known/emptypb"
)

// withStreams returns a guest that serves calls, which open a stream and do nothing.
func withStreams(frames *sent) *Guest {
	g := New(frames, time.Now())
	g.Declare(context.Background(), Declaration{
		Dispatch: func(in *Inbound, _ []byte) { in.OpenStream() },
	})
	g.declared.ready = true
	*frames = nil
	return g
}

func streamFrame(kind abi.Kind, number uint64, payload []byte) abi.Frame {
	frame := abi.Frame{Header: abi.NewHeader(kind), Payload: payload}
	frame.Number, frame.Flags = number, abi.FlagToCallee
	return frame
}

func TestMalformedFrameOfAStreamIsRefused(t *testing.T) {
	noCredit := streamFrame(abi.KindCredit, 1, []byte{1})
	endToCaller := streamFrame(abi.KindEnd, 1, nil)
	endToCaller.Flags = 0
	withDetail := streamFrame(abi.KindItem, 1, nil)
	withDetail.Detail = []byte{1}
	for _, frame := range []abi.Frame{noCredit, endToCaller, withDetail} {
		g := withStreams(new(sent))
		if err := g.Take(frame); err == nil {
			t.Errorf("%v was accepted", frame)
		}
	}
}

func TestFrameOfAnUnknownCallIsIgnored(t *testing.T) {
	g := withStreams(new(sent))
	for _, flags := range []uint16{0, abi.FlagToCallee} {
		frame := streamFrame(abi.KindItem, 7, nil)
		frame.Flags = flags
		if err := g.Take(frame); err != nil {
			t.Error(err)
		}
	}
}

func TestNothingFollowsTheReply(t *testing.T) {
	var frames sent
	g := withStreams(&frames)
	call := abi.Frame{Header: abi.NewHeader(abi.KindCall)}
	call.Number = 1
	for _, frame := range []abi.Frame{call, streamFrame(abi.KindItem, 1, nil)} {
		if err := g.Take(frame); err != nil {
			t.Fatal(err)
		}
	}
	in, _ := g.inbound.get(1)
	stream := in.Stream()
	in.Respond(nil)
	if err := stream.Send(&emptypb.Empty{}, 0); err != ErrClosed {
		t.Errorf("found %v", err)
	}
	stream.Open()
	for {
		if _, ok := stream.Next(); !ok {
			break
		}
	}
	if len(frames) != 1 || frames[0].Kind != abi.KindReply || stream.IsComplete() {
		t.Errorf("found %v", frames)
	}
}

func TestSenderYieldsBeforeEachItem(t *testing.T) {
	var frames sent
	g := withStreams(&frames)
	yields := 0
	g.MustYield = func() bool { yields++; return true }
	stream := NewStream(g)
	stream.Begin(1)
	for range 4 {
		if err := stream.Send(&emptypb.Empty{}, 0); err != nil {
			t.Fatal(err)
		}
	}
	if yields != 4 || len(frames) != 4 {
		t.Errorf("%d yields before %d items", yields, len(frames))
	}
}
