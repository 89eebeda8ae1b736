// Broken panics before it can be opened, and has said something by then.
package main

import (
	"fmt"

	_ "github.com/parigot/parigot/parigot-guest-go" // for the exports
)

func init() {
	fmt.Println("the oven is on")
	panic("the oven is cold")
}

func main() {}
