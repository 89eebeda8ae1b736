// Goroutines logs the number of goroutines in a fresh guest, before the launch.
package main

import (
	"context"
	"log/slog"
	"runtime"

	parigot "github.com/parigot/parigot/parigot-guest-go"
)

func main() {
	ctx := context.Background()
	// The count precedes the launch, which starts a worker. The log line must follow the manifest.
	goroutines := runtime.NumGoroutine()
	if _, err := parigot.Launch(ctx).Await(ctx); err != nil {
		panic(err)
	}
	slog.InfoContext(ctx, "started", "goroutines", goroutines)
}
