package samples

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/kv"
	"github.com/parigot/parigot/parigot-guest-go/kv/kvpb"
)

// Visit keeps the last visit in a store.
func Visit(ctx context.Context) error {
	// ANCHOR: program
	if _, err := parigot.Launch(ctx, kv.Require()).Await(ctx); err != nil {
		return err
	}
	store := kv.MustLocate(ctx)
	last, ok, err := store.Get(ctx, "last")
	if err != nil {
		return err
	}
	if ok {
		slog.InfoContext(ctx, "last visit: "+string(last.Value))
	}
	_, err = store.Set(ctx, "last", []byte("today"))
	// ANCHOR_END: program
	return err
}

// StoreOperations shows the operations of a store.
func StoreOperations(ctx context.Context, store *kv.Store) error {
	// ANCHOR: operations
	_, err := store.Set(ctx, "session/7", []byte("ann"), kv.TTL(time.Hour))
	if err != nil {
		return err
	}

	// Only if no other guest has written the entry.
	_, err = store.Set(ctx, "leader", []byte("me"), kv.IfAbsent())
	if errors.Is(err, kvpb.KvErr_REVISION_MISMATCH) {
		slog.InfoContext(ctx, "another guest leads")
	}

	// All of it, or nothing.
	batch := store.Batch().Set("a", []byte("1")).Delete("b").Check("c", 0)
	if _, err := batch.Commit(ctx); err != nil {
		return err
	}

	for session, err := range store.Scan(ctx, "session/", kv.KeysOnly()) {
		if err != nil {
			return err
		}
		slog.InfoContext(ctx, session.Key)
	}

	// Reads, changes and writes a message; repeats this if another guest was faster.
	_, err = kv.Update(ctx, store, "visits", func(visits *timestamppb.Timestamp) error {
		visits.Seconds++
		return nil
	})
	// ANCHOR_END: operations
	return err
}
