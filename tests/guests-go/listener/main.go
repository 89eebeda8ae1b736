// Listener listens on the network, which no guest has.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"syscall"

	parigot "github.com/parigot/parigot/parigot-guest-go"
)

func main() {
	ctx := context.Background()
	if _, err := parigot.Launch(ctx).Await(ctx); err != nil {
		panic(err)
	}
	go func() { slog.Error("http has ended", "error", http.ListenAndServe(":8080", nil)) }()
	for range 2 {
		_, _, err := syscall.Accept(3) // as a listener of net.FileListener does
		slog.Info(fmt.Sprint("accept: ", err))
	}
}
