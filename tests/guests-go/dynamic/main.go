// Dynamic requires echo.v1.Echo by name only. It is the Go version of tests/guests/dynamic.
package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"strings"

	parigot "github.com/parigot/parigot/parigot-guest-go"
)

func main() {
	ctx := context.Background()
	requires := parigot.RequireDynamic("echo.v1.Echo")
	if _, err := parigot.Launch(ctx, requires).Await(ctx); err != nil {
		panic(err)
	}
	echo, err := parigot.LocateDynamic(ctx, "echo.v1.Echo")
	if err != nil {
		panic(err)
	}
	slog.InfoContext(ctx, echo.Service()+" has "+strings.Join(echo.Methods(), " "))
	for _, argument := range os.Args[1:] {
		if service, ok := strings.CutSuffix(argument, "/"); ok {
			found, err := parigot.LocateDynamic(ctx, service)
			if err != nil {
				slog.InfoContext(ctx, err.Error())
			} else {
				slog.InfoContext(ctx, found.Service())
			}
			continue
		}
		method, text, _ := strings.Cut(argument, "=")
		request, err := hex.DecodeString(text)
		if err != nil {
			panic(err)
		}
		response, err := echo.Call(ctx, method, request).Await(ctx)
		if err != nil {
			slog.InfoContext(ctx, fmt.Sprintf("%s: %v: %v", method, parigot.FateOf(err), err))
		} else {
			slog.InfoContext(ctx, fmt.Sprintf("%s: %x", method, response))
		}
	}
}
