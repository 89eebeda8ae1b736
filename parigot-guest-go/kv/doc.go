// Package kv is a client of a key-value store that the deployment provides.
//
//	func main() {
//		ctx := context.Background()
//		if _, err := parigot.Launch(ctx, kv.Require()).Await(ctx); err != nil {
//			…
//		}
//		store := kv.MustLocate(ctx)
//		last, ok, err := store.Get(ctx, "last")
//		…
//		revision, err := store.Set(ctx, "last", []byte("today"))
//		…
//	}
//
// The deployment declares the store, and grants it to the guest:
//
//	[provider.sessions]
//	kind = "kv"
//	path = "sessions.db"
//
//	[program.visits]
//	wasm = "build/visits.wasm"
//	providers = ["sessions"]
//
// Errors of the store are values of [kvpb.KvErr]: compare with [errors.Is]. Package kvpb has the
// messages of the service parigot.kv.v1.Kv, and documents the limits of keys and values.
package kv
