package kv_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/kv"
	"github.com/parigot/parigot/parigot-guest-go/kv/kvpb"
	"github.com/parigot/parigot/parigot-guest-go/parigottest"
)

// fake is a store with the operations that these tests need.
type fake struct {
	parigot.ReadyAtOnce
	entries map[string]*kvpb.Entry
	// sets are the requests of all writes, in order.
	sets []*kvpb.SetRequest
	// conflicts is the number of writes that fail, although their revision is right.
	conflicts int
	revision  uint64
}

func (f *fake) Get(_ context.Context, in *kvpb.GetRequest) *kvpb.KvGetFuture {
	return kvpb.KvGetDone(&kvpb.GetResponse{Entry: f.entries[in.Key]}, nil)
}

func (f *fake) Set(_ context.Context, in *kvpb.SetRequest) *kvpb.KvSetFuture {
	f.sets = append(f.sets, in)
	if f.conflicts > 0 {
		f.conflicts--
		return kvpb.KvSetDone(nil, kvpb.KvErr_REVISION_MISMATCH)
	}
	if in.IfRevision != nil && *in.IfRevision != f.entries[in.Key].GetRevision() {
		return kvpb.KvSetDone(nil, kvpb.KvErr_REVISION_MISMATCH)
	}
	f.revision++
	f.entries[in.Key] = &kvpb.Entry{Key: in.Key, Value: in.Value, Revision: f.revision}
	return kvpb.KvSetDone(&kvpb.SetResponse{Revision: f.revision}, nil)
}

func (f *fake) Delete(_ context.Context, in *kvpb.DeleteRequest) *kvpb.KvDeleteFuture {
	_, existed := f.entries[in.Key]
	delete(f.entries, in.Key)
	return kvpb.KvDeleteDone(&kvpb.DeleteResponse{Existed: existed}, nil)
}

// Scan returns pages of one key: a, b and c.
func (f *fake) Scan(_ context.Context, in *kvpb.ScanRequest) *kvpb.KvScanFuture {
	key := "a"
	if len(in.PageToken) > 0 {
		key = string(in.PageToken)
	}
	page := &kvpb.ScanResponse{Entries: []*kvpb.Entry{{Key: in.Prefix + key}}}
	if key != "c" {
		page.NextPageToken = []byte{key[0] + 1}
	}
	return kvpb.KvScanDone(page, nil)
}

func (f *fake) Batch(_ context.Context, in *kvpb.BatchRequest) *kvpb.KvBatchFuture {
	return kvpb.KvBatchDone(&kvpb.BatchResponse{Revisions: make([]uint64, len(in.Ops))}, nil)
}

func (f *fake) Watch(
	context.Context, *kvpb.WatchRequest, parigot.Sender[*kvpb.WatchResponse],
) error {
	return kvpb.KvErr_RESUME_GONE
}

// locate returns a fake, and the store of a guest that uses the fake.
func locate(t *testing.T) (*fake, *kv.Store, context.Context) {
	host := parigottest.New(t)
	f := &fake{entries: map[string]*kvpb.Entry{}}
	host.Serve(kvpb.ExportKv(f))
	ctx := host.Client(kv.Require())
	return f, kv.MustLocate(ctx), ctx
}

func count(c *timestamppb.Timestamp) error {
	c.Seconds++
	return nil
}

func TestEntriesAreRead(t *testing.T) {
	f, store, ctx := locate(t)
	if _, ok, err := store.Get(ctx, "a"); ok || err != nil {
		t.Fatal(ok, err)
	}
	f.entries["a"] = &kvpb.Entry{Key: "a", Value: []byte("1"), Revision: 7, ExpiresMs: 1_000}
	entry, ok, err := store.Get(ctx, "a")
	if !ok || err != nil || string(entry.Value) != "1" || entry.Revision != 7 {
		t.Fatal(entry, ok, err)
	}
	if !entry.Expires.Equal(time.Unix(1, 0)) {
		t.Fatal(entry.Expires)
	}
	if existed, err := store.Delete(ctx, "a"); !existed || err != nil {
		t.Fatal(existed, err)
	}
}

func TestOptionsReachTheStore(t *testing.T) {
	f, store, ctx := locate(t)
	_, err := store.Set(ctx, "a", nil, kv.IfAbsent(), kv.TTL(1500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	set := f.sets[0]
	if set.IfRevision == nil || *set.IfRevision != 0 || set.TtlS != 2 {
		t.Fatal(set)
	}
	_, err = store.Set(ctx, "a", nil, kv.IfRevision(9))
	if !errors.Is(err, kvpb.KvErr_REVISION_MISMATCH) {
		t.Fatal(err)
	}
}

func TestScanReadsAllPages(t *testing.T) {
	_, store, ctx := locate(t)
	keys := ""
	for entry, err := range store.Scan(ctx, "k", kv.PageEntries(1)) {
		if err != nil {
			t.Fatal(err)
		}
		keys += entry.Key + " "
	}
	if keys != "ka kb kc " {
		t.Fatal(keys)
	}
}

func TestBatchReturnsRevisions(t *testing.T) {
	_, store, ctx := locate(t)
	revisions, err := store.Batch().Set("a", nil).Delete("b").Check("c", 1).Commit(ctx)
	if len(revisions) != 3 || err != nil {
		t.Fatal(revisions, err)
	}
}

func TestUpdateIsRepeatedAfterConflicts(t *testing.T) {
	f, store, ctx := locate(t)
	f.conflicts = 7
	counted, err := kv.Update(ctx, store, "count", count)
	if err != nil || counted.GetSeconds() != 1 || len(f.sets) != 8 {
		t.Fatal(counted, err, len(f.sets))
	}
	counted, err = kv.Update(ctx, store, "count", count)
	if err != nil || counted.GetSeconds() != 2 {
		t.Fatal(counted, err)
	}
}

func TestUpdateGivesUpAfterItsAttempts(t *testing.T) {
	f, store, ctx := locate(t)
	f.conflicts = 100
	_, err := kv.Update(ctx, store, "count", count)
	if !errors.Is(err, kvpb.KvErr_REVISION_MISMATCH) || len(f.sets) != 8 {
		t.Fatal(err, len(f.sets))
	}
}

func TestUpdateEndsWithTheErrorOfTheChange(t *testing.T) {
	f, store, ctx := locate(t)
	refused := errors.New("refused")
	change := func(*timestamppb.Timestamp) error { return refused }
	if _, err := kv.Update(ctx, store, "count", change); err != refused || len(f.sets) != 0 {
		t.Fatal(err, len(f.sets))
	}
}
