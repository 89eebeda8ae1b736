//! The languages in which guests are written, and what there is in both of them.

use std::path::Path;
use std::sync::LazyLock;

use crate::{example, go_example, go_guest, guest};

/// A language in which guests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Rust.
    Rust,
    /// Go.
    Go,
}

/// Client and service.
pub const PAIRS: [(Language, Language); 4] = [
    (Language::Rust, Language::Rust),
    (Language::Rust, Language::Go),
    (Language::Go, Language::Rust),
    (Language::Go, Language::Go),
];

impl Language {
    /// The wasm file of a program that makes the calls which it is told.
    pub fn driver(self) -> &'static [u8] {
        static DRIVERS: [LazyLock<Vec<u8>>; 2] = [
            LazyLock::new(|| guest("driver")),
            LazyLock::new(|| go_guest("driver")),
        ];
        &DRIVERS[self as usize]
    }

    /// The wasm file of a service that answers them.
    pub fn echo(self) -> &'static [u8] {
        static ECHOES: [LazyLock<Vec<u8>>; 2] = [
            LazyLock::new(|| guest("echo")),
            LazyLock::new(|| go_guest("echo")),
        ];
        &ECHOES[self as usize]
    }

    /// The folder of its example.
    pub fn example(self) -> &'static Path {
        match self {
            Language::Rust => example(),
            Language::Go => go_example(),
        }
    }
}
