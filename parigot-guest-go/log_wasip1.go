package parigot

import (
	"log/slog"

	_ "github.com/parigot/parigot/parigot-guest-go/internal/wasip1" // the exports of the module
)

func init() {
	slog.SetDefault(slog.New(NewLogHandler()))
}
