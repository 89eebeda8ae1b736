// Package wasip1 is the interface of a wasm guest to its host: the exports of the module, the turns
// and the outbox. On other platforms the package is empty.
package wasip1
