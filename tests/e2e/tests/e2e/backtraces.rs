//! The record of a failed guest in the log has a backtrace with the files and lines of its source.

use std::fs;

use e2e::{App, Ended, debug_guest, go_guest, guest};

/// Folder of the guests' crates.
const GUESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guests");

/// Runs a service in Rust that does this deed while it becomes ready, which fails the start.
fn fail_by(deed: &str) -> Ended {
    fail(debug_guest("worker"), deed)
}

/// Does the same with another build of the service.
fn fail(worker: Vec<u8>, deed: &str) -> Ended {
    let deployment = format!(
        "[service.worker]\nwasm = \"worker.wasm\"\nenv = {{ READY = {deed:?} }}\n\
         restart = \"never\"\n\
         [service.store]\nwasm = \"store.wasm\"\n"
    );
    let ended = App::new(&deployment)
        .with("worker.wasm", worker)
        .with("store.wasm", guest("store"))
        .run();
    assert_ne!(ended.status, Some(0), "{}", ended.stderr);
    ended
}

/// Returns the number of the only line with `text` in a source file of the guests.
fn line_of(file: &str, text: &str) -> usize {
    let source = fs::read_to_string(format!("{GUESTS}/{file}"))
        .unwrap_or_else(|error| panic!("cannot read {file}: {error}"));
    let mut found = (1..)
        .zip(source.lines())
        .filter(|(_, line)| line.contains(text));
    let (number, _) = found
        .next()
        .unwrap_or_else(|| panic!("no line with {text:?}"));
    assert!(
        found.next().is_none(),
        "{file} has several lines with {text:?}"
    );
    number
}

/// Checks that the backtrace shows a line with `text` of the deed, and the deed's caller.
#[track_caller]
fn check_backtrace(deed: &str, text: &str) {
    let ended = fail_by(deed);
    for (file, text) in [
        ("faults/src/lib.rs", text),
        ("worker/src/lib.rs", "faults::inject(deed.as_str_name())"),
        ("worker/src/lib.rs", "commit(cx, &job_of(deed)).await"),
    ] {
        let place = format!("{file}:{}:", line_of(file, text));
        assert!(
            ended.stderr.contains(&place),
            "no {place} in\n{}",
            ended.stderr
        );
    }
    for hidden in [
        "core::panicking",
        "rust_begin_unwind",
        "parigot_turn",
        "/rustc/",
    ] {
        assert!(
            !ended.stderr.contains(hidden),
            "{hidden} in\n{}",
            ended.stderr
        );
    }
}

#[test]
fn a_panic_has_a_backtrace() {
    check_backtrace("Panic", "told to panic");
}

#[test]
fn a_trap_has_a_backtrace() {
    check_backtrace("Trap", "\"Trap\" => trap()");
}

#[test]
fn a_guest_beyond_its_budget_has_a_backtrace() {
    check_backtrace("Loop", "\"Loop\" => spin()");
}

#[test]
fn a_stack_overflow_has_a_short_backtrace() {
    let ended = fail_by("Overflow");
    let line = line_of("faults/src/lib.rs", "overflow(depth + 1) + frame[0]");
    let place = format!("faults/src/lib.rs:{line}:5 (");
    let mut shown = ended.stderr.lines().filter(|line| line.contains(&place));
    let shown = shown
        .next()
        .unwrap_or_else(|| panic!("no {place} in\n{}", ended.stderr));
    assert!(
        shown.contains("faults::overflow at ") && shown.ends_with(" times)"),
        "{shown}"
    );
}

#[test]
fn a_guest_out_of_memory_has_a_backtrace() {
    check_backtrace("Grow", "all.push(black_box(vec![1_u8; 1 << 20]))");
}

#[test]
fn a_guest_in_go_beyond_its_budget_has_lines() {
    let ended = fail(go_guest("worker"), "Loop");
    for (function, text) in [
        ("main.commit", "func commit("),
        ("main.worker.Ready", "func (worker) Ready("),
    ] {
        let line = line_of("../guests-go/worker/main.go", text);
        let place = format!("/worker/main.go:{line}");
        let found = ended.stderr.lines().any(|line| {
            line.trim().starts_with(&format!("{function} at ")) && line.ends_with(&place)
        });
        assert!(found, "no {function} at {place} in\n{}", ended.stderr);
    }
    assert!(
        ended
            .stderr
            .contains("(each line is that at which the function begins)"),
        "{}",
        ended.stderr
    );
}
