// Package future provides futures: responses to calls, and values that a handler completes later.
//
// There are two kinds. A [Method] completes with a response or with an error; every method of a
// generated client returns a Method. A [Base] holds a single value. For both you can block with
// Await, or register handlers, which run once the future is completed:
//
//	reply, err := client.FetchGreeting(ctx, request).Await(ctx)
//
//	client.FetchGreeting(ctx, request).Success(greet).Failure(complain)
//
// Combinators wait for several futures. They have the same names as in Rust's module future:
//
//   - [Join] completes when all futures have completed, with responses or errors.
//   - [All] completes when all futures have succeeded or the first has failed. [AllOf] does the
//     same for futures of different types.
//   - [Race] completes when the first future has completed, with a response or an error.
//   - [Any] completes when the first future has succeeded or all have failed.
//   - [Timeout] completes when a future has completed or a duration has passed.
//
// Combinators cancel futures that are no longer needed: the remaining futures of Race and Any, and
// of All after a failure. [Then] and [Map] derive one future from another.
//
// A handler runs once. The handlers of a future run one after another, in the order of their
// registration. A handler registered on a completed future runs immediately. Any goroutine may use
// any future.
package future
