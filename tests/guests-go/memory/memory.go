// Package memory tells how much memory a guest takes.
package memory

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
)

// Log logs, for those who want to debug, how much memory the guest has taken of its host.
func Log(ctx context.Context) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	slog.DebugContext(ctx, fmt.Sprintf("took %d KiB", memory.Sys>>10))
}
