// Package id provides parigot's typed ids of 128 bits: a type tag of 16 bits and 112 random bits.
//
// An id has three forms, which the Rust crate parigot-abi specifies:
//
//   - The text form is `svc_` and 24 digits of Crockford's base 32. The last digit is a check
//     digit. You can copy the text from a log and parse it.
//   - The short form, `svc_` and 6 digits, is for people.
//   - The wire form is two numbers.
//
// Two ids are special. The empty id is unset, and is the zero value of [ID]. The zero id means "no
// answer", and equals no id.
package id
