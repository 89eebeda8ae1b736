//! Several instances of a service, or several guests that export it: calls go to the least busy
//! instance.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::{App, Ended, Line, go_guest, guest, start_on_manual_clock};

const MS: Duration = Duration::from_millis(1);

/// Returns an app with a driver that makes these calls, and this many instances of the echo
/// service.
fn app(replicas: u32, calls: &[&str]) -> App {
    let deployment = format!(
        "[service.echo]\nwasm = \"echo.wasm\"\nreplicas = {replicas}\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
    );
    App::new(&deployment)
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver"))
}

/// Returns the instances that log this message, in the order of the log.
fn instances_with(ended: &Ended, what: &str) -> Vec<String> {
    let says = |line: &Line| line.guest == "echo" && line.message == what;
    ended
        .log()
        .into_iter()
        .filter(says)
        .map(|line| line.instance)
        .collect()
}

fn distinct(instances: &[String]) -> usize {
    instances.iter().collect::<BTreeSet<_>>().len()
}

#[test]
fn concurrent_calls_are_spread_over_all_instances() {
    let ended = app(3, &["sleep:50+sleep:50+sleep:50"]).run();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(
        distinct(&instances_with(&ended, "sleeping")),
        3,
        "{}",
        ended.stderr
    );
}

#[test]
fn idle_instances_take_turns() {
    let ended = app(3, &["sleep:1"; 6]).run();
    let slept = instances_with(&ended, "sleeping");
    assert_eq!(
        (slept.len(), distinct(&slept[..3])),
        (6, 3),
        "{}",
        ended.stderr
    );
    assert_eq!(slept[..3], slept[3..]);
}

#[test]
fn a_call_goes_to_the_instance_with_the_fewest_calls() {
    // The clock stands between the calls, so each short one is over before the next is made.
    let calls = ["100ms:sleep:1+200ms:sleep:1+300ms:sleep:1+hang@900"];
    let (running, log, clock) = start_on_manual_clock(&app(2, &calls));
    let busy = log.wait_for("hanging").instance;
    clock.advance(MS);
    for _ in 0..3 {
        clock.advance(99 * MS);
        let idle = log.wait_for("sleeping").instance;
        assert_ne!(idle, busy);
        clock.advance(MS);
        log.wait_for("sleep:1: 0 bytes");
    }
    clock.advance(900 * MS);
    log.wait_for("hang@900: DEADLINE_EXCEEDED");
    assert_eq!(running.wait().status, 0);
}

#[test]
fn a_call_is_cancelled_at_the_instance_that_has_it() {
    let ended = app(3, &["sleep:1", "hang@500", "hang@500"]).run();
    let hanging = instances_with(&ended, "hanging");
    assert_eq!(distinct(&hanging), 2, "{}", ended.stderr);
    assert_eq!(instances_with(&ended, "cancelled"), hanging);
}

#[test]
fn an_instance_that_is_down_gets_no_calls() {
    let (running, log, clock) = start_on_manual_clock(&app(
        2,
        &["panic", "echo:1", "echo:2", "echo:3", "hang@500"],
    ));
    log.wait_for("panic: INTERNAL, callee trapped: echo panicked at ");
    for answered in [
        "echo:1: 1 bytes",
        "echo:2: 2 bytes",
        "echo:3: 3 bytes",
        "hanging",
    ] {
        log.wait_for(answered);
    }
    clock.advance(Duration::from_millis(100));
    log.wait_for("restarted after 100 ms: restart 1 of 10 in 60s");
    clock.advance(Duration::from_millis(400));
    assert_eq!(running.wait().status, 0);
}

#[test]
fn calls_are_refused_while_all_instances_are_down() {
    let (running, log, clock) =
        start_on_manual_clock(&app(2, &["panic", "panic", "echo:1?", "again"]));
    log.wait_for(
        "echo:1?: refused: UNAVAILABLE: unreachable: echo is being restarted and has been down \
         for 0 ms; \
         the other instance takes no calls either",
    );
    clock.advance(Duration::from_millis(100));
    log.wait_for("restarted after 100 ms: restart 1 of 10 in 60s");
    log.wait_for("again: 1 bytes");
    assert_eq!(running.wait().status, 0);
}

#[test]
fn guests_in_two_languages_share_a_service() {
    let app = App::new(
        "[service.rusty]\nwasm = \"rusty.wasm\"\nshared = [\"echo.v1.Echo\"]\n\
         [service.gopher]\nwasm = \"gopher.wasm\"\nshared = [\"echo.v1.Echo\"]\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"sleep:50+sleep:50\"]\n",
    );
    let app = app
        .with("rusty.wasm", guest("echo"))
        .with("gopher.wasm", go_guest("echo"));
    let app = app.with("driver.wasm", guest("driver"));
    let ended = app.run();
    assert_eq!(
        ended.messages_of("driver"),
        ["sleep:50: 0 bytes", "sleep:50: 0 bytes"],
        "{}",
        ended.stderr
    );
    for service in ["rusty", "gopher"] {
        assert_eq!(ended.messages_of(service), ["sleeping"], "{}", ended.stderr);
    }
    let drawn = app.run_subcommand("graph", &[]).stdout;
    let edges =
        "program driver  -> gopher  echo.v1.Echo\n                       -> rusty   echo.v1.Echo\n";
    assert!(drawn.contains(edges), "{drawn}");
}

#[test]
fn check_shows_the_number_of_instances() {
    let checked = app(3, &[]).run_subcommand("check", &[]);
    let expected =
        "app.toml: its 2 guests fit, launched in this order:\n   1  echo x3\n   2  driver\n";
    assert_eq!(
        (checked.stdout.as_str(), checked.status),
        (expected, Some(0)),
        "{}",
        checked.stderr
    );
}

#[test]
fn invalid_replicas_are_rejected() {
    let refused = App::new(
        "[service.echo]\nwasm = \"echo.wasm\"\nreplicas = 0\n[program.driver]\nwasm = \
         \"driver.wasm\"\nreplicas = 2\n",
    )
    .run();
    for told in [
        "`replicas` is 0, expected an integer from 1 to 1000",
        "unknown key `replicas` in `[program.driver]`",
        "calls are distributed over instances, and only services are called",
    ] {
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
    assert_eq!(refused.status, Some(3));
}
