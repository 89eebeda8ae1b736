// Package abi reads and writes what a parigot host and its guests say to each other.
//
// The layouts are those of version 1.0 of the guest ABI, written down in the Rust crate parigot-abi. All numbers are
// little-endian; a string is a uint32 count of bytes and then that many bytes of UTF-8.
//
// What reads gives an error of type [*MalformedError], which names the offset, for any bytes that are not as laid out, and
// does not copy: the slices in its results lie inside of what was read. What writes appends to a slice, as the append
// functions of the standard library do.
package abi
