// Package parigot is the SDK for guests in Go: services and programs that a parigot host runs.
//
// A guest is an ordinary Go program, compiled by
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o greeting.wasm .
//
// The plugin protoc-gen-parigot generates messages, clients and servers from .proto files. A
// service implements the generated interface and runs it:
//
//	func main() { pb.RunGreeting(context.Background(), &greeter{}) }
//
// A program declares the services that it requires, waits until they are ready, and calls them:
//
//	func main() {
//		ctx := context.Background()
//		if _, err := parigot.Launch(ctx, pb.RequireGreeting()).Await(ctx); err != nil {
//			log.Fatal(err)
//		}
//		greeting := pb.MustLocateGreeting(ctx)
//		reply, err := greeting.FetchGreeting(ctx, &pb.FetchGreetingRequest{}).Await(ctx)
//		…
//	}
package parigot
