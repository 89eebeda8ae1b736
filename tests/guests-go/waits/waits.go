// Package waits provides the ways in which Go programs wait for a duration.
package waits

import (
	"context"
	"sync"
	"time"
)

// Ways maps names to functions that wait.
var Ways = map[string]func(context.Context, time.Duration){
	"sleep": func(_ context.Context, long time.Duration) { time.Sleep(long) },
	"after": func(_ context.Context, long time.Duration) { <-time.After(long) },
	"ticker": func(_ context.Context, long time.Duration) {
		ticker := time.NewTicker(long)
		defer ticker.Stop()
		<-ticker.C
	},
	"context": func(ctx context.Context, long time.Duration) {
		ctx, cancel := context.WithTimeout(ctx, long)
		defer cancel()
		<-ctx.Done()
	},
	"mutex": func(_ context.Context, long time.Duration) {
		var mutex sync.Mutex
		mutex.Lock()
		time.AfterFunc(long, mutex.Unlock)
		mutex.Lock()
	},
}
