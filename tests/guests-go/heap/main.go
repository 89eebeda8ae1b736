// Heap serves echo.v1.Echo beside many small live objects, some of which each call replaces.
//
// Argument: MiB of live objects.
package main

import (
	"context"
	"os"
	"strconv"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/future"

	pb "parigot.test/guests/stubs/echo/v1"
)

const (
	nodeBytes  = 64
	chainNodes = 256
	// chainsPerTurn is the number of chains that Ready makes between two yields: 1 MiB.
	chainsPerTurn = 64
)

// node is an object that the garbage collector must follow.
type node struct {
	next *node
	_    [nodeBytes - 8]byte
}

type heap struct {
	chains []*node
	oldest int
}

// Ready makes the live objects.
func (h *heap) Ready(ctx context.Context) *future.Base[bool] {
	for k := range h.chains {
		h.replaceOldest()
		if k%chainsPerTurn == 0 {
			parigot.Yield(ctx)
		}
	}
	return future.NewBaseWithValue(true)
}

// Echo replaces a chain, which is 16 KiB.
func (h *heap) Echo(_ context.Context, in *pb.Payload) *pb.EchoEchoFuture {
	h.replaceOldest()
	return pb.EchoEchoDone(in, nil)
}

// Misbehave never returns. It loops, with or without allocations.
func (h *heap) Misbehave(_ context.Context, deed *pb.Deed) *pb.EchoMisbehaveFuture {
	for {
		if deed.GetKind() != pb.Deed_Spin {
			h.replaceOldest()
		}
	}
}

func (*heap) Persist(context.Context, *pb.Deed) *pb.EchoPersistFuture {
	return pb.EchoPersistDone(nil, pb.EchoErr_Refused)
}

func (h *heap) replaceOldest() {
	var first *node
	for range chainNodes {
		first = &node{next: first}
	}
	h.chains[h.oldest] = first
	h.oldest = (h.oldest + 1) % len(h.chains)
}

func main() {
	mib, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	pb.RunEcho(context.Background(), &heap{chains: make([]*node, mib<<20/nodeBytes/chainNodes)})
}
