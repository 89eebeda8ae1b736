// Package guest is the state of one guest and what it says to its host, without the types that generated code brings.
//
// Frames come in through [Guest.Take] and go out through an [Outbox]. In a wasm module there is one guest, which package parigot
// enters turn by turn; package parigottest runs several in one process.
package guest
