// Package stdiopb provides the generated code of the service parigot.stdio.v1.Stdio. Package stdio
// has a reader and a writer on top.
package stdiopb
