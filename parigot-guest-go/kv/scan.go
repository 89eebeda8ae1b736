package kv

import (
	"context"
	"fmt"
	"iter"

	"github.com/parigot/parigot/parigot-guest-go/kv/kvpb"
)

// ScanOption changes a scan.
type ScanOption func(*kvpb.ScanRequest)

// KeysOnly omits the values.
func KeysOnly() ScanOption { return func(r *kvpb.ScanRequest) { r.KeysOnly = true } }

// Descending reads in the descending order of keys.
func Descending() ScanOption { return func(r *kvpb.ScanRequest) { r.Descending = true } }

// PageEntries sets the largest number of entries in a page: 1 to 1,000. The default is 100.
func PageEntries(entries uint32) ScanOption {
	return func(r *kvpb.ScanRequest) { r.Limit = entries }
}

// Scan reads the entries whose keys begin with a prefix, in the order of keys. It ends after the
// first error.
//
//	for user, err := range store.Scan(ctx, "user/") { … }
//
// Pages are not one snapshot. An entry that exists during the whole scan is returned exactly once.
func (s *Store) Scan(
	ctx context.Context, prefix string, with ...ScanOption,
) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		request := &kvpb.ScanRequest{Prefix: prefix}
		for _, option := range with {
			option(request)
		}
		for {
			page, err := s.client.Scan(ctx, request).Await(ctx)
			if err != nil {
				yield(Entry{}, fmt.Errorf("cannot scan %q: %w", prefix, err))
				return
			}
			for _, e := range page.Entries {
				if !yield(entryOf(e), nil) {
					return
				}
			}
			if len(page.NextPageToken) == 0 {
				return
			}
			request.PageToken = page.NextPageToken
		}
	}
}
