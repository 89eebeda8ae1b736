package guest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestExitHookThatDoesNotEndIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var frames sent
		guest := New(&frames, time.Now())
		guest.Declare(t.Context(), Declaration{})
		frames = nil
		end := make(chan struct{})
		guest.AtExit(AtExit{Place: "main/main.go:7", Do: func(context.Context) { <-end }})
		guest.Leave(1, "tired")
		if len(frames) != 2 {
			t.Fatalf("found %+v, want a line and the exit", frames)
		}
		want := "exit hook of main/main.go:7 did not finish within 1s"
		line := string(frames[0].Payload)
		exit := string(frames[1].Payload)
		if line != want || exit != "tired" {
			t.Fatalf("found %q and %q", line, exit)
		}
		close(end)
	})
}
