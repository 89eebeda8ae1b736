//! Time of the example from the command line to its end, with its code in the cache.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::measure::{Bench, Measure};
use crate::report::{Bar, Figure, Row};

/// Number of timed starts, of which the best counts.
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
        .expect("`parigot` must be beside this program: use `make bench`");
    let took = begin.elapsed();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(
        log.contains("bonjour, world"),
        "the log of the example must have the greeting:\n{log}"
    );
    took.as_secs_f64() * 1e3
}

/// Returns the path of the command, optimised like this program and beside it.
fn parigot() -> PathBuf {
    std::env::current_exe()
        .expect("this program must have a path")
        .with_file_name("parigot")
}
