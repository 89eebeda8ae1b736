// Package future has values that come later: the answer to a call, or whatever a handler completes another time.
//
// There are two kinds. A [Method] ends with a response or with an error; every generated client method returns one. A [Base] holds a
// single value. Both can be waited for, with Await, and both take handlers, which run once the value is there:
//
//	reply, err := client.FetchGreeting(ctx, request).Await(ctx)
//
//	client.FetchGreeting(ctx, request).Success(greet).Failure(complain)
//
// Futures are combined by [Then], [Map], [First], [All] and [Timeout].
//
// A handler runs once. Those of one future run one after the other in the order in which they were registered, and one that is registered on a
// future that has completed already runs at once. Any goroutine may use any future.
package future
