// Package memory logs the memory of a guest.
package memory

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
)

// Log logs the memory that the guest has obtained from its host, at the level debug.
func Log(ctx context.Context) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	slog.DebugContext(ctx, fmt.Sprintf("took %d KiB", memory.Sys>>10))
}
