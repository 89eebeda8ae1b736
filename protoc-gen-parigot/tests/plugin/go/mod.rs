//! Tests of `lang=go`.

mod comments;
mod compiled;
mod names;
mod packages;
