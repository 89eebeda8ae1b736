package future_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/parigot/parigot/parigot-guest-go/future"
)

// order imitates a call of a service.
func order(what string) *dish { return future.Done[string, menuErr](what, nil) }

func ExampleMethod_Await() {
	ctx := context.Background()
	served, err := order("soup").Await(ctx)
	fmt.Println(served, err)
	// Output: soup <nil>
}

func ExampleMethod_Success() {
	order("soup").
		Success(func(served string) { fmt.Println(served) }).
		Failure(func(err error) { fmt.Println(err) })
	// Output: soup
}

func ExampleThen() {
	ctx := context.Background()
	dinner := future.Then(order("soup"), func(starter string) *dish {
		return order(starter + " and fish")
	})
	fmt.Println(dinner.Await(ctx))
	// Output: soup and fish <nil>
}

func ExampleMap() {
	fmt.Println(future.Map(order("soup"), strings.ToUpper).Await(context.Background()))
	// Output: SOUP <nil>
}

func ExampleAll() {
	fmt.Println(future.All(order("soup"), order("fish")).Await(context.Background()))
	// Output: [soup fish] <nil>
}

func ExampleAllOf() {
	ctx := context.Background()
	dish, bill := order("soup"), future.Done[int, menuErr](7, nil)
	if err := future.AllOf(dish, bill).Await(ctx); err != nil {
		fmt.Println(err)
		return
	}
	served, _ := dish.Await(ctx)
	amount, _ := bill.Await(ctx)
	fmt.Println(served, amount)
	// Output: soup 7
}

func ExampleAny() {
	closed := future.Done[string, menuErr]("", soldOut)
	fmt.Println(future.Any(closed, order("soup")).Await(context.Background()))
	// Output: soup <nil>
}
