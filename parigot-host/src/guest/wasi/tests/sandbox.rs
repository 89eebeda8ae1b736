//! Limits of a Go guest: the outside world that it cannot reach, and its ends.

use wasmtime::Trap;

use super::{DENIED, Guest};
use crate::error::Blocked;
use crate::guest::wasi::imports::ProcExit;
use crate::guest::wasi::memory::Errno;
use parigot_abi::frame::Level;

#[test]
fn a_guest_sees_only_its_configuration() {
    let mut guest = Guest::open(
        &DENIED,
        &["denied", "--loud"],
        &[("KEY", "a=b"), ("EMPTY", "")],
        [3; 32],
    );
    assert_eq!(guest.act(0, 0).unwrap(), 0);
    let lines: Vec<String> = guest.lines().into_iter().map(|(_, line)| line).collect();
    let mut random = [0; 4];
    let errors = [
        ("open", Errno::Acces),
        ("open relative", Errno::Acces),
        ("create", Errno::Acces),
        ("read a directory", Errno::Acces),
        ("stat", Errno::Acces),
        ("remove", Errno::Acces),
        ("make a directory", Errno::Acces),
        ("rename", Errno::Acces),
        ("link", Errno::Acces),
        ("symlink", Errno::Acces),
        ("read a link", Errno::Acces),
        ("set times", Errno::Acces),
        ("truncate", Errno::Acces),
        ("read from standard input", Errno::Badf),
        ("seek in standard output", Errno::Badf),
        ("read from standard output", Errno::Spipe),
        ("write into standard output", Errno::Spipe),
        ("stat standard output", Errno::Badf),
        ("sync standard output", Errno::Badf),
    ]
    .map(|(what, errno)| format!("{what}: {} {}", errno as u16, errno == Errno::Acces));
    assert_eq!(lines[0], "args: [denied --loud]");
    assert_eq!(lines[1], "env: [KEY=a=b EMPTY=]");
    assert_eq!(lines[2], "time: 2025-11-22T03:00:00.123456789Z");
    assert_eq!(lines[3], "passed: 0s");
    let hex = lines[4]
        .strip_prefix("random: ")
        .and_then(|rest| rest.strip_suffix(" <nil>"))
        .unwrap();
    random.copy_from_slice(&u32::from_str_radix(hex, 16).unwrap().to_be_bytes());
    assert_ne!(random, [0; 4]);
    assert_eq!(lines[5..5 + errors.len()], errors);
    assert_eq!(lines[5 + errors.len()..], ["listen: true", "dial: true"]);
}

#[test]
fn other_seeds_give_other_random_bytes() {
    let random = |seed| {
        let mut guest = Guest::open(&DENIED, &["denied"], &[], seed);
        guest.act(0, 0).unwrap();
        guest.lines()[4].1.clone()
    };
    assert_ne!(random([1; 32]), random([2; 32]));
}

#[test]
fn a_guest_that_blocks_within_a_turn_is_ended() {
    // A wait without a timer, then an hour's sleep: neither lets the turn end.
    for what in [1, 2] {
        let mut guest = Guest::open(&DENIED, &["denied"], &[], [0; 32]);
        let error = guest.act(what, 0).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Blocked), "{error:?}");
    }
}

#[test]
fn an_exit_status_is_capped_at_255() {
    for (given, status) in [(0, 0), (3, 3), (255, 255), (256, 255), (u32::MAX, 255)] {
        let mut guest = Guest::open(&DENIED, &["denied"], &[], [0; 32]);
        let error = guest.act(3, given).unwrap_err();
        assert_eq!(
            error.downcast_ref(),
            Some(&ProcExit { status }),
            "{error:?}"
        );
    }
}

/// Covers a panic in a library: Go's runtime does not exit but traps.
#[test]
fn a_panic_is_logged_line_by_line() {
    let mut guest = Guest::open(&DENIED, &["denied"], &[], [0; 32]);
    let error = guest.act(4, 0).unwrap_err();
    assert_eq!(
        error.downcast_ref(),
        Some(&Trap::UnreachableCodeReached),
        "{error:?}"
    );
    let lines = guest.lines();
    assert!(lines.iter().all(|(level, _)| *level == Level::Error));
    assert_eq!(lines[0].1, "panic: the guest gives up");
    assert!(
        lines
            .iter()
            .any(|(_, line)| line.contains("denied/main.go:")),
        "{lines:?}"
    );
}

#[test]
fn output_beyond_the_limit_is_dropped_and_counted() {
    let mut guest = Guest::open(&DENIED, &["denied"], &[], [0; 32]);
    guest.act(5, 2 << 20).unwrap();
    let lines = guest.lines();
    assert!(
        lines[..10]
            .iter()
            .all(|line| *line == (Level::Info, "0123456789".into()))
    );
    let [.., (Level::Error, dropped)] = &lines[..] else {
        panic!("the last line must report the dropped bytes")
    };
    assert!(
        dropped.starts_with("dropped ") && dropped.ends_with("a turn may write at most 1 MiB"),
        "{dropped}"
    );
    // The dropped output made room.
    guest.act(0, 0).unwrap();
    assert!(guest.lines().len() > 10);
}
