//! Limits of guests: a guest that exceeds one fails alone. Its caller gets the reason at once, and
//! the calls of other guests go on.

use std::process::Command;

use e2e::{App, Ran, Started, WithControlPair, guest};

/// Limits that allow for a message of 64 MiB.
const ROOMY: &str = "memory = '512MiB'\nbudget = '10s'";

/// Runs the guest `faulty`, with these keys in its table, beside the control pair. It does this
/// deed when the driver calls it.
fn run_faulty(deed: &str, keys: &str) -> Ran {
    let app = App::new(&format!(
        "[service.faulty]\nwasm = \"faulty.wasm\"\nargs = [{deed:?}]\n{keys}\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"echo:1\"]\n"
    ));
    let app = app
        .with("faulty.wasm", guest("faulty"))
        .with("driver.wasm", guest("driver"));
    let ran = WithControlPair::new(app).run("echo:1: ");
    assert_eq!(ran.pair.failed, 0, "{:?}", ran.pair);
    assert!(ran.pair.answered >= 200, "{:?}", ran.pair);
    ran
}

/// Runs `faulty`, and checks the error that its caller gets.
#[track_caller]
fn check_faulty(deed: &str, told: &str) -> Ran {
    check_faulty_with(deed, "", told)
}

#[track_caller]
fn check_faulty_with(deed: &str, keys: &str, told: &str) -> Ran {
    let ran = run_faulty(deed, keys);
    let messages: Vec<_> = ran.messages_of("driver").collect();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(
        messages[0].starts_with(&format!("echo:1: {told}")),
        "{messages:?}"
    );
    assert_eq!(
        ran.outcome.status, 0,
        "the driver has exited with status 0, and the prober was stopped"
    );
    ran
}

/// Checks that `faulty` was killed after the budget that each guest has. How soon after it is
/// measured by the tests of budgets, which run alone: on a busy machine the thread that ticks may
/// be late.
#[track_caller]
fn check_killed(ran: &Ran) {
    let killed = ran
        .log
        .iter()
        .find_map(|line| line.cpu)
        .expect("the host must log the CPU time");
    assert!((50..1_000).contains(&killed.as_millis()), "{killed:?}");
}

#[test]
fn a_guest_that_loops_forever() {
    check_killed(&check_faulty(
        "stubborn",
        "INTERNAL, callee killed: faulty was killed: held its thread beyond its budget \
         of 50 ms in echo.v1.Echo/Echo",
    ));
}

#[test]
fn a_guest_that_reports_false_progress() {
    check_killed(&check_faulty(
        "progress",
        "UNAVAILABLE, callee killed: faulty was killed: held its thread beyond its budget",
    ));
}

#[test]
fn a_guest_that_overflows_the_stack() {
    check_faulty(
        "recurse",
        "INTERNAL, callee trapped: faulty trapped: stack overflow: call depth exceeds the stack of \
         1 MiB",
    );
}

#[test]
fn a_guest_that_overflows_its_shadow_stack() {
    check_faulty(
        "Overflow",
        "INTERNAL, callee trapped: faulty trapped: stack overflow: calls or local values need \
         more than the stack in the guest's memory, 1 MiB in Rust; recurse less deeply",
    );
}

#[test]
fn a_guest_that_reads_outside_its_memory() {
    check_faulty(
        "wild",
        "INTERNAL, callee trapped: faulty trapped: wasm trap: out of bounds memory access",
    );
}

#[test]
fn a_guest_that_calls_process_exit() {
    check_faulty(
        "exit",
        "INTERNAL, callee trapped: faulty trapped: called `std::process::exit`, which only traps \
         in a guest; return from `main`, or await `cx.exit(code)`",
    );
}

#[test]
fn a_guest_that_calls_process_abort() {
    let ran = check_faulty("abort", "INTERNAL, callee trapped: faulty trapped: ");
    let told = ran
        .messages_of("driver")
        .next()
        .expect("the caller has got an error");
    assert!(told.contains("`std::process::abort`"), "{told}");
}

#[test]
fn a_guest_that_traps() {
    check_faulty(
        "Trap",
        "INTERNAL, callee trapped: faulty trapped: wasm trap: wasm `unreachable` instruction \
         executed, as by `std::process::abort`; panic with a message instead",
    );
}

#[test]
fn a_guest_that_exceeds_its_memory_limit() {
    let ran = check_faulty_with(
        "Grow",
        "memory = '4MiB'",
        "INTERNAL, callee trapped: faulty trapped: ",
    );
    let told = ran
        .messages_of("driver")
        .next()
        .expect("the caller has got an error");
    assert!(
        told.ends_with("(an allocation beyond its `memory`, 4 MiB, had failed)"),
        "{told}"
    );
}

#[test]
fn guests_that_exceed_the_memory_of_the_deployment() {
    let app = |memory_max: &str| {
        let tables = format!(
            "memory_max = '{memory_max}'\n[service.faulty]\nwasm = 'faulty.wasm'\nargs = \
             ['Grow']\nmemory = '1GiB'\n[program.driver]\nwasm = 'driver.wasm'\nargs = \
             ['echo:1']\n"
        );
        App::new(&tables)
            .with("faulty.wasm", guest("faulty"))
            .with("driver.wasm", guest("driver"))
            .run()
    };
    let ended = app("40MiB");
    let told = ended.messages_of("driver");
    let reason = "(an allocation beyond the `memory_max` of the deployment, 40 MiB, had failed)";
    assert!(told[0].ends_with(reason), "{}", ended.stderr);
    let ended = app("2MiB");
    assert_eq!(ended.status, Some(3), "{}", ended.stderr);
    for part in [
        "which is not left of the deployment's `memory_max`, 2 MiB",
        "help: raise `memory_max` of the deployment, or run fewer instances",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

/// Returns the command of an app, which starts with a limit of `ulimit`.
fn limited(app: &App, limit: &str) -> Command {
    let run = app.command();
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit {limit}; exec \"$@\""), "sh"])
        .arg(run.get_program())
        .args(run.get_args())
        .current_dir(app.folder());
    command
}

/// Two instances need 8 GiB, and the command itself less than one.
#[test]
fn the_limit_of_the_address_space_is_named() {
    let app = App::new(
        "[service.echo]\nwasm = 'echo.wasm'\n[program.driver]\nwasm = 'driver.wasm'\nargs = \
         ['echo:1']\n",
    );
    let app = app
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver"));
    let ended = Started::new(&mut limited(&app, "-v 7000000")).wait();
    assert_eq!(ended.status, Some(3), "{}", ended.stderr);
    for part in [
        "Cannot allocate memory",
        "raise the limit of the address space",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[test]
fn the_limit_of_open_files_is_raised() {
    let app = App::new("[program.sleeper]\nwasm = 'sleeper.wasm'\n");
    let app = app.with("sleeper.wasm", guest("sleeper"));
    let started = Started::new(&mut limited(&app, "-Sn 64"));
    started.wait_for_threads("parigot timers", 1);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", started.id()))
        .expect("Linux must show the limits of a process");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let numbers: Vec<_> = line
        .expect("the limit must be shown")
        .split_whitespace()
        .collect();
    assert_eq!(numbers[3], numbers[4], "{limits}");
    assert_ne!(numbers[3], "64", "{limits}");
    started.interrupt();
    started.wait();
}

#[test]
fn a_guest_that_answers_with_64_mib() {
    let ran = check_faulty_with(
        "swell:67108864",
        ROOMY,
        "RESOURCE_EXHAUSTED, answer lost: response of 67108864 bytes exceeds the limit of \
         16777216",
    );
    assert_eq!(ran.messages_of("faulty").count(), 0, "the guest still runs");
}

#[test]
fn a_guest_that_floods_the_log() {
    // A line takes 64 bytes, and its text 12.
    let ran = check_faulty_with("flood:50000", &format!("{ROOMY}\nlog = '76KiB'"), "0 bytes");
    let (flood, told): (Vec<_>, Vec<_>) = ran
        .messages_of("faulty")
        .partition(|line| *line == "what a flood");
    assert_eq!(flood.len(), 1_024);
    assert_eq!(
        told,
        [
            "log rate limit exceeded: lines beyond `log`, 76 KiB per second, are dropped",
            "log rate limit exceeded: dropped 48976 lines of 587712 bytes",
        ]
    );
}

#[test]
fn a_guest_that_logs_a_line_of_16_mib() {
    let ran = check_faulty_with("line:16777216", ROOMY, "0 bytes");
    let line = ran
        .messages_of("faulty")
        .next()
        .expect("the begin of the line must be logged");
    assert!(
        line.ends_with("x… (truncated by 16711680 bytes)"),
        "{} bytes",
        line.len()
    );
    assert!(line.len() < 66_000, "{} bytes", line.len());
}

#[test]
fn a_guest_that_reuses_a_call_number() {
    let deployment = "[program.faulty]\nwasm = \"faulty.wasm\"\nargs = \
                      [\"caller/twice\"]\n[service.echo]\nwasm = \"echo.wasm\"\n";
    let app = App::new(deployment)
        .with("faulty.wasm", guest("faulty"))
        .with("echo.wasm", guest("echo"));
    let ran = WithControlPair::new(app).run("broke the protocol: called twice with number 7");
    assert_eq!(ran.pair.failed, 0, "{:?}", ran.pair);
    let told: Vec<_> = ran.messages_of("echo").collect();
    assert!(
        ["hanging", "cancelled"].starts_with(&told),
        "the second call must not reach its callee: {told:?}"
    );
}
