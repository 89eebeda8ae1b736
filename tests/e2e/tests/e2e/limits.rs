//! A host that no guest can hurt: whatever one does, its caller is told at once, and the calls of others go on.

use e2e::{App, BesideNeighbours, Ran, guest};

/// Enough to make a message of 64 MiB at leisure.
const ROOMY: &str = "memory = '512MiB'\nbudget = '10s'";

/// A rogue with these keys in its table that does this deed when the driver calls it, beside neighbours.
fn run_rogue(deed: &str, keys: &str) -> Ran {
    let app = App::new(&format!(
        "[service.rogue]\nwasm = \"rogue.wasm\"\nargs = [{deed:?}]\n{keys}\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"echo:1\"]\n"
    ));
    let app = app
        .with("rogue.wasm", guest("rogue"))
        .with("driver.wasm", guest("driver"));
    let ran = BesideNeighbours::new(app).run("echo:1: ");
    assert_eq!(ran.neighbours.failed, 0, "{:?}", ran.neighbours);
    assert!(ran.neighbours.answered >= 200, "{:?}", ran.neighbours);
    ran
}

/// Checks what the caller of a rogue is told.
#[track_caller]
fn check_rogue(deed: &str, told: &str) -> Ran {
    check_rogue_with(deed, "", told)
}

#[track_caller]
fn check_rogue_with(deed: &str, keys: &str, told: &str) -> Ran {
    let ran = run_rogue(deed, keys);
    let messages: Vec<_> = ran.messages_of("driver").collect();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(
        messages[0].starts_with(&format!("echo:1: {told}")),
        "{messages:?}"
    );
    assert_eq!(
        ran.outcome.status, 0,
        "the driver has ended well, and the pacer was stopped"
    );
    ran
}

/// Checks that the rogue was killed after the budget that each guest has. How soon after it is
/// measured by the tests of budgets, which run alone: on a busy machine the thread that ticks may
/// be late.
#[track_caller]
fn check_killed(ran: &Ran) {
    let killed = ran
        .log
        .iter()
        .find_map(|line| line.cpu)
        .expect("the host says what it took");
    assert!((50..1_000).contains(&killed.as_millis()), "{killed:?}");
}

#[test]
fn a_guest_that_loops_for_ever() {
    check_killed(&check_rogue(
        "stubborn",
        "INTERNAL, callee killed: rogue was killed: it held its thread for longer than its budget of 50 ms in echo.v1.Echo/Echo",
    ));
}

#[test]
fn a_guest_that_claims_to_advance_from_call_to_call() {
    check_killed(&check_rogue(
        "progress",
        "UNAVAILABLE, callee killed: rogue was killed: it held its thread for longer",
    ));
}

#[test]
fn a_guest_whose_calls_go_too_deep() {
    check_rogue(
        "recurse",
        "INTERNAL, callee trapped: rogue trapped: its calls go deeper than a stack of 1 MiB",
    );
}

#[test]
fn a_guest_that_overflows_the_stack_in_its_memory() {
    check_rogue(
        "Overflow",
        "INTERNAL, callee trapped: rogue trapped: wasm trap: out of bounds memory access",
    );
}

#[test]
fn a_guest_that_traps() {
    check_rogue(
        "Trap",
        "INTERNAL, callee trapped: rogue trapped: wasm trap: wasm `unreachable` instruction executed",
    );
}

#[test]
fn a_guest_that_grows_without_end() {
    let ran = check_rogue_with(
        "Grow",
        "memory = '4MiB'",
        "INTERNAL, callee trapped: rogue trapped: ",
    );
    let told = ran.messages_of("driver").next().expect("it was checked");
    assert!(
        told.ends_with("(it wanted more memory than its `memory`, 4 MiB)"),
        "{told}"
    );
}

#[test]
fn a_guest_that_answers_with_64_mib() {
    let ran = check_rogue_with(
        "swell:67108864",
        ROOMY,
        "RESOURCE_EXHAUSTED, answer lost: a response of 67108864 bytes, and 16777216 are let through",
    );
    assert_eq!(
        ran.messages_of("rogue").count(),
        0,
        "it does nobody harm, and lives"
    );
}

#[test]
fn a_guest_that_floods_the_log() {
    // A line takes 64 bytes, and its text 12.
    let ran = check_rogue_with("flood:50000", &format!("{ROOMY}\nlog = '76KiB'"), "0 bytes");
    let (flood, told): (Vec<_>, Vec<_>) = ran
        .messages_of("rogue")
        .partition(|line| *line == "what a flood");
    assert_eq!(flood.len(), 1_024);
    assert_eq!(
        told,
        [
            "logs too much: what exceeds its `log`, 76 KiB in a second, is left out",
            "logged too much: 48976 lines of 587712 bytes were left out",
        ]
    );
}

#[test]
fn a_guest_that_logs_a_line_of_16_mib() {
    let ran = check_rogue_with("line:16777216", ROOMY, "0 bytes");
    let line = ran
        .messages_of("rogue")
        .next()
        .expect("it is logged, but for its end");
    assert!(
        line.ends_with("x… (16711680 bytes more were left out)"),
        "{} bytes",
        line.len()
    );
    assert!(line.len() < 66_000, "{} bytes", line.len());
}

#[test]
fn a_guest_that_gives_two_calls_one_number() {
    let deployment = "[program.rogue]\nwasm = \"rogue.wasm\"\nargs = [\"caller/twice\"]\n[service.echo]\nwasm = \"echo.wasm\"\n";
    let app = App::new(deployment)
        .with("rogue.wasm", guest("rogue"))
        .with("echo.wasm", guest("echo"));
    let ran = BesideNeighbours::new(app).run("broke the protocol: called twice with number 7");
    assert_eq!(ran.neighbours.failed, 0, "{:?}", ran.neighbours);
    let told: Vec<_> = ran.messages_of("echo").collect();
    assert!(
        ["hanging", "cancelled"].starts_with(&told),
        "the second never comes to its callee: {told:?}"
    );
}
