//! A log that is not read, because its reader has stopped: the guests run on, signals are obeyed,
//! and the lines that were lost are counted.

use std::io::{BufRead, BufReader};
use std::process::Command;

use e2e::{App, Nats, Started, guest};

/// Number of calls.
const CALLS: usize = 1_000;

/// Adds the guests to an app whose driver makes [`CALLS`] calls, which must all be answered. Each
/// call makes its callee `faulty` log `lines` lines.
fn flooded(lines: usize) -> App {
    let app = App::new(&format!(
        "shutdown_deadline = '1h'\n\
         [service.faulty]\nwasm = 'faulty.wasm'\nargs = ['flood:{lines}']\nbudget = '60s'\n\
         log = '1GiB'\n\
         [program.driver]\nwasm = 'driver.wasm'\nargs = ['answered:{CALLS}']\n"
    ));
    app.with("faulty.wasm", guest("faulty"))
        .with("driver.wasm", guest("driver"))
}

/// Line of the flood.
const LINE: &str = "what a flood";

/// Lines of a call with which the log of all calls exceeds the queue several times.
const MANY_LINES: usize = 200;

fn in_process(app: &App, name: &str) -> Command {
    let mut command = app.command();
    command.args(["--process", name, "--log-format", "json"]);
    command
}

#[test]
fn a_log_that_is_read_is_complete() {
    // Less than the queue holds, so that a busy machine may stop the reader.
    let lines = 40;
    let ended = flooded(lines).run();
    assert_eq!(ended.status, Some(0));
    let flood = ended.messages_of("faulty");
    assert_eq!(flood.len(), lines * CALLS);
    assert!(flood.iter().all(|line| line == LINE));
    assert!(!ended.stderr.contains("dropped"), "no line may be lost");
    let last = ended.log().pop().expect("the driver must log");
    assert_eq!(last.message, format!("answered:{CALLS}"));
}

#[test]
fn a_program_ends_although_its_log_is_not_read() {
    let app = flooded(MANY_LINES);
    let (started, _unread) = Started::with_full_stderr(&mut app.command());
    assert_eq!(started.wait().status, Some(0), "each call must be answered");
}

/// Starts the callee in a process whose log is not read, and waits for the end of all calls from
/// another process.
fn calls_between_processes(app: &App) -> (Started, impl BufRead) {
    let (back, log) = Started::with_full_stderr(&mut in_process(app, "back"));
    let front = app.start_process("front").wait();
    assert_eq!(front.status, Some(0), "{}", front.stderr);
    (back, BufReader::new(log))
}

#[test]
fn lines_lost_without_a_reader_are_counted() {
    let nats = Nats::start();
    let app = flooded(MANY_LINES).apart(&nats, &[("front", "driver"), ("back", "faulty")]);
    let (back, log) = calls_between_processes(&app);
    let mut kept = 0;
    let mut lines = log.lines().map_while(Result::ok);
    let lost = loop {
        let line = lines.next().expect("the process must run");
        kept += usize::from(line.contains(LINE));
        if let Some((_, dropped)) = line.split_once("\"message\":\"dropped ") {
            assert!(
                line.contains(r#""level":"WARN","process":"back","#),
                "{line}"
            );
            let (lost, _) = dropped.split_once(' ').expect("a unit must follow");
            break lost.parse::<usize>().expect("a number must follow");
        }
    };
    // The host may have logged a few lines of its own meanwhile.
    let flood = MANY_LINES * CALLS;
    assert!(
        (flood..flood + 10).contains(&(kept + lost)),
        "{kept} {lost}"
    );
    back.signal("TERM");
    let rest: Vec<_> = lines.collect();
    assert!(rest.iter().any(|line| line.contains("stopping the guests")));
    assert_eq!(back.wait().status, Some(0));
}

#[test]
fn sigterm_stops_a_process_whose_log_is_not_read() {
    let nats = Nats::start();
    let app = flooded(MANY_LINES).apart(&nats, &[("front", "driver"), ("back", "faulty")]);
    let (back, _unread) = calls_between_processes(&app);
    back.signal("TERM");
    assert_eq!(back.wait().status, Some(0), "no work was cut off");
}

/// Adds a program that no signal but the second ends.
fn with_spinner(app: App) -> App {
    app.with_tables("[program.sleeper]\nwasm = 'sleeper.wasm'\nargs = ['--spin']\nbudget = '60s'\n")
        .with("sleeper.wasm", guest("sleeper"))
}

#[test]
fn a_second_sigterm_ends_a_process_whose_log_is_not_read() {
    let nats = Nats::start();
    let app = with_spinner(flooded(MANY_LINES));
    let app = app.apart(&nats, &[("front", "driver"), ("back", "faulty sleeper")]);
    let (mut back, _unread) = calls_between_processes(&app);
    back.repeat_signal("TERM");
    assert_eq!(back.wait().status, Some(143));
}

#[test]
fn sigterms_leave_no_child_although_the_log_is_not_read() {
    let nats = Nats::start();
    let app = with_spinner(flooded(1_000_000));
    let app = app.apart(&nats, &[("front", "driver sleeper"), ("back", "faulty")]);
    let (mut parent, _unread) = Started::with_full_stderr(&mut app.command());
    let children = parent.wait_for_children(2);
    parent.repeat_signal("TERM");
    for child in children {
        parent.wait_for_end_of(child);
    }
    assert_eq!(parent.wait().status, Some(143));
}
