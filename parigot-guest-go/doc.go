// Package parigot is what guests in Go are made with: services and programs that a parigot host runs.
//
// A guest is an ordinary Go program, compiled by
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o greeting.wasm .
//
// Its messages, clients and servers are generated from .proto files. A service implements the generated interface and runs it:
//
//	func main() { pb.RunGreeting(context.Background(), &greeter{}) }
//
// A program says what it requires, waits until that is ready, and calls it:
//
//	func main() {
//		ctx := context.Background()
//		if _, err := parigot.Launch(ctx, pb.RequireGreeting()).Await(ctx); err != nil {
//			log.Fatal(err)
//		}
//		reply, err := pb.MustLocateGreeting(ctx).FetchGreeting(ctx, &pb.FetchGreetingRequest{}).Await(ctx)
//		…
//	}
package parigot
