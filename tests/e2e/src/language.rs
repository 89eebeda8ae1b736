//! The languages in which guests are written, and the guests that exist in both.

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

/// Every pair of languages: of the client, and of the service.
pub const PAIRS: [(Language, Language); 4] = [
    (Language::Rust, Language::Rust),
    (Language::Rust, Language::Go),
    (Language::Go, Language::Rust),
    (Language::Go, Language::Go),
];

impl Language {
    /// Both languages.
    pub const EACH: [Language; 2] = [Language::Rust, Language::Go];

    /// Returns the wasm file of `driver`, a program that makes the calls in its arguments.
    pub fn driver(self) -> &'static [u8] {
        static DRIVERS: [LazyLock<Vec<u8>>; 2] = [
            LazyLock::new(|| guest("driver")),
            LazyLock::new(|| go_guest("driver")),
        ];
        &DRIVERS[self as usize]
    }

    /// Returns the wasm file of `echo`, the service that `driver` calls.
    pub fn echo(self) -> &'static [u8] {
        static ECHOES: [LazyLock<Vec<u8>>; 2] = [
            LazyLock::new(|| guest("echo")),
            LazyLock::new(|| go_guest("echo")),
        ];
        &ECHOES[self as usize]
    }

    /// Returns the wasm file of a guest of `tests/guests` or `tests/guests-go`.
    pub fn guest(self, name: &str) -> Vec<u8> {
        match self {
            Language::Rust => guest(name),
            Language::Go => go_guest(name),
        }
    }

    /// Returns the folder of the language's helloworld example.
    pub fn example(self) -> &'static Path {
        match self {
            Language::Rust => example(),
            Language::Go => go_example(),
        }
    }
}
