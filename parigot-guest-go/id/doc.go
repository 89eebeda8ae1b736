// Package id has parigot's typed ids: 128 bits, of which 16 say the type and 112 are random.
//
// The text form, `svc_` and 24 digits of Crockford's base 32, the last of them a check digit, can be copied from a log and
// parsed again; the short form, `svc_` and 6 digits, is for people. The wire form is two numbers. The Rust crate parigot-abi
// writes all three down. Of two special ids, empty means that nobody has set it and is the zero value of [ID]; zero stands
// where there is no answer, and equals nothing.
package id
