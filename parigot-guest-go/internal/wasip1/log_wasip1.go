package wasip1

import (
	"syscall"

	"github.com/parigot/parigot/parigot-guest-go/internal/abi"
	"github.com/parigot/parigot/parigot-guest-go/internal/guest"
)

func init() { guest.EarlyLog = logEarly }

// logEarly passes a log frame to the host at once, so that the line is not lost if the guest ends
// before its first turn does.
func logEarly(frame abi.Frame) {
	bytes, err := frame.Append(nil)
	if err == nil { // the frame is short
		_, _ = syscall.Write(abi.LogFD, bytes)
	}
}
