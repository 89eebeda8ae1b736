// Package abi reads and writes the messages between a parigot host and its guests.
//
// The Rust crate parigot-abi specifies the layouts of version 1.0 of the guest ABI. All numbers are
// little-endian. A string is a uint32 count of bytes and then that many bytes of UTF-8.
//
// Readers return a [*MalformedError] with the offset for bytes that do not match the layout. They
// copy nothing: the slices in their results are part of the input. Writers append to a slice, as
// the append functions of the standard library do.
package abi
