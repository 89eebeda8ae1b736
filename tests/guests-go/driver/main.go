// Driver makes the calls that its arguments describe, one after another, and logs their results. It
// is the Go version of tests/guests/driver, which documents the arguments.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	parigot "github.com/parigot/parigot/parigot-guest-go"

	pb "parigot.test/guests/stubs/echo/v1"
)

func main() {
	ctx := context.Background()
	if _, err := parigot.Launch(ctx, pb.RequireEcho()).Await(ctx); err != nil {
		panic(err)
	}
	echo := pb.MustLocateEcho(ctx)
	for _, argument := range os.Args[1:] {
		words := strings.Split(argument, "+")
		calls := make([]*call, len(words))
		for k, word := range words {
			calls[k] = begin(ctx, echo, word)
		}
		for k, call := range calls {
			if call != nil {
				payload, err := call.future.Await(call.ctx)
				if err != nil && strings.HasSuffix(words[k], "?") {
					fate := parigot.FateOf(err)
					slog.InfoContext(ctx, fmt.Sprintf("%s: %v: %v", words[k], fate, err))
				} else {
					slog.InfoContext(ctx, words[k]+": "+describe(payload, err))
				}
				call.cancel()
			}
		}
	}
}

// call is a call in flight, with its context.
type call struct {
	ctx    context.Context
	cancel context.CancelFunc
	future *pb.EchoMisbehaveFuture
}

var deeds = map[string]pb.Deed_Kind{
	"panic": pb.Deed_Panic, "trap": pb.Deed_Trap, "leave": pb.Deed_Leave,
	"refuse": pb.Deed_Refuse, "hang": pb.Deed_Hang, "sleep": pb.Deed_Sleep,
	"swell": pb.Deed_Swell, "spin": pb.Deed_Spin, "toil": pb.Deed_Toil,
}

// begin starts a call. It returns nil if the word requests an immediate cancellation.
func begin(ctx context.Context, echo pb.EchoClient, word string) *call {
	word, dropped := strings.CutSuffix(strings.TrimSuffix(word, "?"), "!")
	word, deadline, timed := strings.Cut(word, "@")
	ctx, cancel := context.WithCancel(ctx)
	if timed {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(parse(deadline))*time.Millisecond)
	}
	word, amount, _ := strings.Cut(word, ":")
	made := &call{ctx: ctx, cancel: cancel}
	if kind, ok := deeds[word]; ok {
		made.future = echo.Misbehave(ctx, &pb.Deed{Kind: kind, Number: uint32(parse(amount))})
	} else {
		made.future = echo.Echo(ctx, &pb.Payload{Data: make([]byte, parse(amount))})
	}
	if dropped {
		cancel()
		return nil
	}
	return made
}

func parse(text string) int {
	if text == "" {
		return 0
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return number
}

func describe(payload *pb.Payload, err error) string {
	if err == nil {
		return fmt.Sprintf("%d bytes", len(payload.GetData()))
	}
	if status, ok := errors.AsType[*parigot.CallError](err); ok {
		return fmt.Sprintf("%v, %v: %s", status.Code, status.Cause, status.Message)
	}
	return err.Error()
}
