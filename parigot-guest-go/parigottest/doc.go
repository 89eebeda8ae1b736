// Package parigottest runs services in the process of a test, without a host and without wasm.
//
// A [Host] connects what is given to it: the service that is tested, fakes for what that requires, and the test itself as a client.
// A fake is an implementation of the generated interface like any other.
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
// Time is the test's. In a bubble of [testing/synctest] nothing takes any: the clock stands still while a goroutine of the bubble can run, and
// else goes on to the next timer, so that a test of an hour's timeout says so and ends at once.
//
//	synctest.Test(t, func(t *testing.T) {
//		host := parigottest.New(t) // inside of the bubble
//		…
//		time.Sleep(time.Hour)      // moves the clock
//	})
//
// # What differs
//
// Goroutines run in parallel, so the race detector is of use; in a wasm guest they do not. There are no budgets, no limits of memory or of calls
// in flight, and a panic ends the test. Calls, deadlines, cancellation, launch and exit are as on a host.
package parigottest
