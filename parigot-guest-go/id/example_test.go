package id_test

import (
	"fmt"

	"github.com/parigot/parigot/parigot-guest-go/id"
)

func ExampleParse() {
	service := id.FromRandom[id.Service](17, 89)
	copied, err := id.Parse[id.Service](service.String())
	fmt.Println(copied.Equal(service), err)
	_, err = id.Parse[id.Call](service.String())
	fmt.Println(err)
	// Output:
	// true <nil>
	// not a CallID: expected it to start with `cal_`
}
