package kv

import (
	"context"
	"fmt"

	"github.com/parigot/parigot/parigot-guest-go/kv/kvpb"
)

// Batch is a list of 1 to 100 operations on different keys, which run at once: all of them, or
// none.
//
//	revisions, err := store.Batch().Set("a", one).Delete("b").Check("c", revision).Commit(ctx)
type Batch struct {
	client kvpb.KvClient
	ops    []*kvpb.BatchOp
}

// Batch creates a batch.
func (s *Store) Batch() *Batch { return &Batch{client: s.client} }

// Set writes an entry.
func (b *Batch) Set(key string, value []byte, with ...Option) *Batch {
	return b.add(&kvpb.BatchOp{Op: &kvpb.BatchOp_Set{Set: setRequest(key, value, with)}})
}

// Delete deletes an entry.
func (b *Batch) Delete(key string, with ...Option) *Batch {
	request := &kvpb.DeleteRequest{Key: key, IfRevision: apply(with).ifRevision}
	return b.add(&kvpb.BatchOp{Op: &kvpb.BatchOp_Delete{Delete: request}})
}

// Check requires the revision of an entry without a change; 0 requires that the key has none.
func (b *Batch) Check(key string, revision uint64) *Batch {
	check := &kvpb.Check{Key: key, Revision: revision}
	return b.add(&kvpb.BatchOp{Op: &kvpb.BatchOp_Check{Check: check}})
}

func (b *Batch) add(op *kvpb.BatchOp) *Batch {
	b.ops = append(b.ops, op)
	return b
}

// Commit runs the operations, and returns the revision of each new entry; 0 for deletions and
// checks. It fails with [kvpb.KvErr_REVISION_MISMATCH] if a condition is not met.
func (b *Batch) Commit(ctx context.Context) ([]uint64, error) {
	response, err := b.client.Batch(ctx, &kvpb.BatchRequest{Ops: b.ops}).Await(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot commit the batch: %w", err)
	}
	return response.Revisions, nil
}
