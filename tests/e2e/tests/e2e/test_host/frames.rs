//! The trace of frames.

use golden::echo::echo::v1::deed::Kind;
use parigot_host::testing::{Fault, Frame};

use super::{echo_host, misbehave};

/// Returns the printed lines of frames, without the ids, which differ from build to build.
fn lines(frames: &[Frame]) -> Vec<String> {
    let word = |word: &str| {
        if word.starts_with("cal_") {
            "cal_…".into()
        } else {
            word.to_owned()
        }
    };
    let line = |frame: &Frame| {
        frame
            .to_string()
            .split(' ')
            .map(word)
            .collect::<Vec<_>>()
            .join(" ")
    };
    frames.iter().map(line).collect()
}

#[test]
fn frames_print_as_a_readable_trace() {
    let mut run = echo_host().fault(Fault::lose_reply().nth(2)).start();
    assert_eq!(misbehave(&mut run, Kind::Nothing), "0 bytes");
    assert_eq!(
        misbehave(&mut run, Kind::Refuse),
        "DEADLINE_EXCEEDED, timed out"
    );
    assert_eq!(misbehave(&mut run, Kind::Trap), "INTERNAL, callee trapped");
    let shown = "
     0.000 ms  host -> echo           Start
     0.000 ms  echo -> host           Manifest
     0.000 ms  echo -> host           Launch
     0.000 ms  host -> test           Start
     0.000 ms  test -> host           Manifest
     0.000 ms  test -> host           Launch
     0.000 ms  host -> echo           Launched
     0.000 ms  echo -> host           Reply launch OK, 0 bytes
     0.000 ms  host -> test           Launched
     0.000 ms  test -> host           Reply launch OK, 0 bytes
     0.000 ms  test -> echo           Call echo.v1.Echo/Misbehave cal_… 0 bytes
     0.000 ms  echo -> test           Reply echo.v1.Echo/Misbehave cal_… OK, 0 bytes
     0.000 ms  test -> echo           Call echo.v1.Echo/Misbehave cal_… 2 bytes
     0.000 ms  echo -> test           Reply echo.v1.Echo/Misbehave cal_… error 4 (lost)
  3000.000 ms  host -> echo           Cancel echo.v1.Echo/Misbehave cal_…
  3000.000 ms  host -> test           Reply echo.v1.Echo/Misbehave cal_… \
     DEADLINE_EXCEEDED: timed out: no reply within the deadline
  3000.000 ms  test -> echo           Call echo.v1.Echo/Misbehave cal_… 2 bytes
  3000.000 ms  echo -> host           Exit status 1: trapped: \
     wasm trap: wasm `unreachable` instruction executed, as by `std::process::abort`; \
     panic with a message instead, or await `cx.exit(code)`
  3000.000 ms  host -> test           Reply echo.v1.Echo/Misbehave cal_… \
     INTERNAL: callee trapped: echo trapped: wasm trap: wasm `unreachable` instruction executed, \
     as by `std::process::abort`; panic with a message instead, or await `cx.exit(code)`";
    assert_eq!(
        lines(&run.frames()),
        shown.lines().skip(1).collect::<Vec<_>>()
    );
}
