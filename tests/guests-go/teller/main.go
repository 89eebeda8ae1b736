// Teller prints its arguments and environment, and exits before its launch.
package main

import (
	"context"
	"fmt"
	"os"

	parigot "github.com/parigot/parigot/parigot-guest-go"
)

func main() {
	ctx := context.Background()
	parigot.AtExit(ctx, func(context.Context) { fmt.Print("the last word") })
	fmt.Println(os.Args)
	fmt.Println("OVEN=" + os.Getenv("OVEN"))
	parigot.Exit(ctx, 7)
}
