// Package stdio connects a program to standard input and output of its process.
//
//	func main() {
//		ctx := context.Background()
//		if _, err := parigot.Launch(ctx, stdio.Require()).Await(ctx); err != nil {
//			…
//		}
//		console := stdio.MustLocate(ctx)
//		lines := bufio.NewScanner(console)
//		for lines.Scan() {
//			if _, err := fmt.Fprintln(console, len(lines.Text())); err != nil {
//				…
//			}
//		}
//	}
//
// [Stdio] uses the service parigot.stdio.v1.Stdio, which the host serves to programs and workers.
// Standard error is the log, and so is everything that a guest writes to [os.Stdout].
//
// # Closed pipes
//
// In `parigot run app.toml | head -1` the reader of the pipe ends first. Later writes fail with
// [ErrClosed]. A program should then return from main: it ends quietly with status 0, because the
// reader has read all it wants.
package stdio
