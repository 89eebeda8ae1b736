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

func ExampleID() {
	// A program has a type of its own: see parigot boilerplateid.
	type order = id.ID[id.Service]
	one, two := id.New[id.Service](), id.New[id.Service]()
	pizzas := map[order]string{one: "margherita", two: "tartufo"}
	fmt.Println(one == two, pizzas[two])
	pizzas[id.Zero[id.Service]()] = "none"
	fmt.Println(id.Zero[id.Service]() == id.ID[id.Service]{}, pizzas[id.Zero[id.Service]()] == "")
	// Output:
	// false tartufo
	// false true
}
