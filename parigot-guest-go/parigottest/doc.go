// Package parigottest runs services in the process of a test, without a host and without wasm.
//
// A [Host] connects the tested service, fakes of the services that it requires, and the test as a
// client. A fake is an ordinary implementation of the generated interface.
//
//	func TestKitchenGreets(t *testing.T) {
//		host := parigottest.New(t)
//		host.Serve(pb.ExportGreeting(fakeGreeting{"hello"}))
//		host.Serve(pb.ExportKitchen(&kitchen{}), pb.RequireGreeting())
//		ctx := host.Client(pb.RequireKitchen())
//		reply, err := pb.MustLocateKitchen(ctx).Enter(ctx, &pb.EnterRequest{}).Await(ctx)
//		…
//	}
//
// # Time
//
// Use a bubble of [testing/synctest] to control the time. The clock of a bubble stands still while
// a goroutine of the bubble can run, and then advances to the next timer. So a test of a timeout of
// an hour ends immediately.
//
//	synctest.Test(t, func(t *testing.T) {
//		host := parigottest.New(t) // inside the bubble
//		…
//		time.Sleep(time.Hour)      // advances the clock
//	})
//
// # Differences from a host
//
// Goroutines run in parallel, so the race detector is useful; in a wasm guest they share one
// thread. There are no time budgets, and no limits on memory or on calls in flight. A panic ends
// the test. Calls, streams, deadlines, cancellation, launch and exit work as on a host.
package parigottest
