// Package future has values that come later: the answer to a call, or whatever a handler completes another time.
//
// There are two kinds. A [Method] ends with a response or with an error; every generated client method returns one. A [Base] holds a
// single value. Both can be waited for, with Await, and both take handlers, which run once the value is there:
//
//	reply, err := client.FetchGreeting(ctx, request).Await(ctx)
//
//	client.FetchGreeting(ctx, request).Success(greet).Failure(complain)
//
// Several are waited for together, in the same words as in Rust's module future:
//
//   - [Join] completes when all have completed, however;
//   - [All], and [AllOf] where their types differ, when all have succeeded or the first has failed;
//   - [Race] when the first has completed, however;
//   - [Any] when the first has succeeded or all have failed;
//   - [Timeout] when one has completed, or that long has passed.
//
// Those for which nobody waits any more are cancelled: what is left of a race, and of All after a failure. [Then] and [Map] make one future of another.
//
// A handler runs once. Those of one future run one after the other in the order in which they were registered, and one that is registered on a
// future that has completed already runs at once. Any goroutine may use any future.
package future
