//! How long the example takes from the command line to its end, when it was run before.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::report::{Bar, Figure, Row};
use crate::{Bench, Measure};

/// Starts that are timed; the best of them counts.
const STARTS: usize = 5;

pub(crate) fn measures() -> Vec<Measure> {
    vec![Measure::new("hello", second_starts)]
}

fn second_starts(bench: &Bench) -> Row {
    let cache = bench.guests.wasm("bench-hello");
    start_ms(&cache);
    let mut ms: Vec<f64> = (0..STARTS).map(|_| start_ms(&cache)).collect();
    ms.sort_by(f64::total_cmp);
    let mut row = Row::default();
    row.figure(
        Figure::each("second_start_ms", "ms", &ms[..1], |ms| *ms).bar(Some(Bar::AtMost(300.0))),
    );
    row
}

fn start_ms(cache: &Path) -> f64 {
    let mut command = Command::new(parigot());
    let example =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/helloworld/helloworld.toml");
    command.arg("run").arg(example).env("XDG_CACHE_HOME", cache);
    let begin = Instant::now();
    let output = command
        .output()
        .expect("`parigot` is built beside this program: use `make bench`");
    let took = begin.elapsed();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(
        log.contains("bonjour, world"),
        "the example says something else:\n{log}"
    );
    took.as_secs_f64() * 1e3
}

/// The command, optimised like this program, and beside it.
fn parigot() -> PathBuf {
    std::env::current_exe()
        .expect("a program knows where it is")
        .with_file_name("parigot")
}
