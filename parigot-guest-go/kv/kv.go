package kv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	parigot "github.com/parigot/parigot/parigot-guest-go"
	"github.com/parigot/parigot/parigot-guest-go/kv/kvpb"
)

// updateAttemptsMax is the number of attempts of [Update].
const updateAttemptsMax = 8

// Require declares that a guest uses a store. Pass the result to [parigot.Launch], for a store with
// a binding name as kv.Require().As("cache").
func Require() parigot.Requirement { return kvpb.RequireKv() }

// Store is a key-value store. Any goroutine may use it.
type Store struct {
	client kvpb.KvClient
}

// Entry is an entry of a store.
type Entry struct {
	Key   string
	Value []byte
	// Revision is that of the last write.
	Revision uint64
	// Modified is the time of the last write.
	Modified time.Time
	// Expires is the zero time for an entry that does not expire.
	Expires time.Time
}

// Locate returns the store that the deployment grants to the guest. It returns an error if the
// guest does not pass [Require] to its launch, or is not launched yet.
func Locate(ctx context.Context) (*Store, error) {
	client, err := kvpb.LocateKv(ctx)
	if err != nil {
		return nil, err
	}
	return &Store{client}, nil
}

// LocateNamed returns the store that the deployment binds to a name.
func LocateNamed(ctx context.Context, binding string) (*Store, error) {
	client, err := kvpb.LocateKvNamed(ctx, binding)
	if err != nil {
		return nil, err
	}
	return &Store{client}, nil
}

// MustLocate is like [Locate], but panics instead of returning an error.
func MustLocate(ctx context.Context) *Store {
	s, err := Locate(ctx)
	if err != nil {
		panic(err)
	}
	return s
}

// Get returns the entry of a key, and false without one.
func (s *Store) Get(ctx context.Context, key string) (Entry, bool, error) {
	response, err := s.client.Get(ctx, &kvpb.GetRequest{Key: key}).Await(ctx)
	if err != nil {
		return Entry{}, false, fmt.Errorf("cannot get %q: %w", key, err)
	}
	if response.Entry == nil {
		return Entry{}, false, nil
	}
	return entryOf(response.Entry), true, nil
}

// Option changes a write or a deletion.
type Option func(*options)

type options struct {
	ifRevision *uint64
	ttlSeconds uint32
}

// IfAbsent requires that the key has no entry.
func IfAbsent() Option { return IfRevision(0) }

// IfRevision requires that the entry has this revision.
func IfRevision(revision uint64) Option {
	return func(o *options) { o.ifRevision = &revision }
}

// TTL lets an entry expire after this time. Parts of a second count as one. It has no effect on
// deletions.
func TTL(ttl time.Duration) Option {
	seconds := max(1, (ttl+time.Second-1)/time.Second)
	return func(o *options) { o.ttlSeconds = uint32(min(seconds, 1<<32-1)) }
}

func apply(with []Option) (o options) {
	for _, option := range with {
		option(&o)
	}
	return o
}

// Set creates or replaces the entry of a key, and returns its revision. It fails with
// [kvpb.KvErr_REVISION_MISMATCH] if a condition is not met.
func (s *Store) Set(ctx context.Context, key string, value []byte, with ...Option) (uint64, error) {
	response, err := s.client.Set(ctx, setRequest(key, value, with)).Await(ctx)
	if err != nil {
		return 0, fmt.Errorf("cannot set %q: %w", key, err)
	}
	return response.Revision, nil
}

func setRequest(key string, value []byte, with []Option) *kvpb.SetRequest {
	o := apply(with)
	return &kvpb.SetRequest{Key: key, Value: value, IfRevision: o.ifRevision, TtlS: o.ttlSeconds}
}

// Delete deletes the entry of a key, and returns whether there was one. It fails with
// [kvpb.KvErr_REVISION_MISMATCH] if a condition is not met.
func (s *Store) Delete(ctx context.Context, key string, with ...Option) (bool, error) {
	request := &kvpb.DeleteRequest{Key: key, IfRevision: apply(with).ifRevision}
	response, err := s.client.Delete(ctx, request).Await(ctx)
	if err != nil {
		return false, fmt.Errorf("cannot delete %q: %w", key, err)
	}
	return response.Existed, nil
}

// Update changes the message under a key, and returns the new message. Without an entry, change
// gets an empty message.
//
//	cart, err := kv.Update(ctx, store, "cart/7", func(c *pb.Cart) error { c.Items++; return nil })
//
// The message is read, changed, and written if no other guest has written it meanwhile. Otherwise
// all of this is repeated, at most 8 times; then Update fails with [kvpb.KvErr_REVISION_MISMATCH].
// An error of change ends the update. The new entry does not expire. A write whose fate is unknown
// is not repeated: it may have changed the message.
func Update[T any, P interface {
	*T
	proto.Message
}](ctx context.Context, s *Store, key string, change func(P) error) (P, error) {
	for attempt := 1; ; attempt++ {
		entry, _, err := s.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		message := P(new(T))
		if err := proto.Unmarshal(entry.Value, message); err != nil {
			return nil, fmt.Errorf("cannot decode the value of %q: %w", key, err)
		}
		if err := change(message); err != nil {
			return nil, err
		}
		value, err := proto.Marshal(message)
		if err != nil {
			return nil, fmt.Errorf("cannot encode the value of %q: %w", key, err)
		}
		_, err = s.Set(ctx, key, value, IfRevision(entry.Revision))
		if err == nil {
			return message, nil
		}
		if !errors.Is(err, kvpb.KvErr_REVISION_MISMATCH) || attempt == updateAttemptsMax {
			return nil, err
		}
	}
}

func entryOf(e *kvpb.Entry) Entry {
	entry := Entry{
		Key:      e.Key,
		Value:    e.Value,
		Revision: e.Revision,
		Modified: time.UnixMilli(e.ModifiedMs),
	}
	if e.ExpiresMs != 0 {
		entry.Expires = time.UnixMilli(e.ExpiresMs)
	}
	return entry
}
