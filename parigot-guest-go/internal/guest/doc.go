// Package guest is the state of one guest and its protocol with the host, without the types of
// generated code.
//
// Incoming frames arrive through [Guest.Take], and outgoing frames leave through an [Outbox]. A
// wasm module has one guest, which package wasip1 enters turn by turn. Package parigottest runs
// several guests in one process.
package guest
