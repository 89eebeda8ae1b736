// Broken prints a line and panics before the host can open the guest.
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
