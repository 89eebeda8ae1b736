// Answers is the Go version of the guests answers, desk and asker of tests/guests. The variable
// ROLE selects one of them: hosts compile a single module, which takes seconds for a module of Go.
package main

import (
	"context"
	"os"

	pb "parigot.test/guests/stubs/answers/v1"
)

func main() {
	ctx := context.Background()
	switch os.Getenv("ROLE") {
	case "answers":
		pb.RunAnswers(ctx, &shelf{counts: map[string]int{}})
	case "desk":
		pb.RunDesk(ctx, &clerk{}, pb.RequireAnswers().As("shelf"))
	case "asker":
		runAsker(ctx)
	}
}
