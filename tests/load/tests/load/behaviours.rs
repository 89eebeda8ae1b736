//! The behaviours that a successor of the original parigot has to prove, in both languages where
//! they could differ. (f) is measured: see `tests/measured/latency.rs`. (g) is the generator's: see
//! `tests/golden/tests/golden/behaviours.rs`.

use std::collections::BTreeSet;

use e2e::{App, Capture, Deployed, Hosts, Nats, WithControlPair, code_cache, go_guest, guest};
use load::{Callee, Trial};
use parigot_abi::id::{CallId, ServiceId};
use parigot_host::Settings;

/// A program and a service in a pair of languages.
struct Pair {
    name: &'static str,
    driver: Vec<u8>,
    echo: Vec<u8>,
}

/// Returns one for each pair of languages.
fn pairs() -> [Pair; 4] {
    let driver = [guest("driver"), go_guest("driver")];
    let echo = [guest("echo"), go_guest("echo")];
    [
        ("Rust, Rust", 0, 0),
        ("Rust, Go", 0, 1),
        ("Go, Rust", 1, 0),
        ("Go, Go", 1, 1),
    ]
    .map(|(name, client, service)| Pair {
        name,
        driver: driver[client].clone(),
        echo: echo[service].clone(),
    })
}

impl Pair {
    /// Returns a deployment in which the driver makes these calls.
    fn app(&self, deployed: Deployed, calls: &[&str]) -> (App, Option<Nats>) {
        self.app_with(deployed, "", calls)
    }

    /// Does the same with more keys in both tables guests.
    fn app_with(&self, deployed: Deployed, keys: &str, calls: &[&str]) -> (App, Option<Nats>) {
        let file = format!(
            "[service.echo]\nwasm = 'echo.wasm'\nlog = '16MiB'\nrestart = 'never'\n{keys}\n\
             [program.driver]\nwasm = 'driver.wasm'\nlog = '16MiB'\nargs = {calls:?}\n{keys}\n"
        );
        let app = App::new(&file)
            .with("echo.wasm", &self.echo)
            .with("driver.wasm", &self.driver);
        deployed.spread(app, &[("front", "driver"), ("back", "echo")])
    }
}

/// Returns the driver's name in the log of the command.
fn driver(deployed: Deployed) -> &'static str {
    match deployed {
        Deployed::Together => "driver",
        Deployed::Apart => "front/driver",
    }
}

/// Calls `check` with each pair, in one process and in two.
fn check_each(check: impl Fn(Deployed, &Pair)) {
    for deployed in Deployed::EACH {
        for pair in pairs() {
            println!("{deployed:?}: {}", pair.name);
            check(deployed, &pair);
        }
    }
}

#[test]
fn behaviour_a_failed_starts_are_reported() {
    let knot = App::new("")
        .with_service("a", &["x.A"], &["x.B"])
        .with_service("b", &["x.B"], &["x.A"])
        .run();
    assert!(
        knot.stderr.contains("a -> b -> a"),
        "the path: {}",
        knot.stderr
    );
    assert_eq!(knot.status, Some(3));

    let lacking = App::new("")
        .with_service("shop", &["x.Shop"], &["x.Stock"])
        .run();
    assert!(
        lacking.stderr.contains("`shop`") && lacking.stderr.contains("x.Stock"),
        "{}",
        lacking.stderr
    );
    assert_eq!(lacking.status, Some(3));

    let mute = App::new("startup_deadline = '5ms'\n")
        .with_service("mute", &["x.Mute"], &[])
        .run();
    assert!(
        mute.stderr.contains("the start has taken longer than 5ms"),
        "{}",
        mute.stderr
    );
    assert_eq!(mute.status, Some(124));
}

#[test]
fn behaviour_b_the_program_sets_the_exit_status() {
    for wasm in [guest("bare"), go_guest("teller")] {
        let file = "[program.main]\nwasm = 'main.wasm'\nargs = ['--leave']\n";
        let ended = App::new(file).with("main.wasm", wasm).run();
        assert_eq!(ended.status, Some(7), "{}", ended.stderr);
    }
}

#[test]
fn behaviour_b_a_trap_affects_one_guest_only() {
    for pair in pairs() {
        let (app, _) = pair.app(Deployed::Together, &["trap", "echo:1"]);
        let ran = WithControlPair::new(app).run("echo:1: ");
        assert_eq!(ran.pair.failed, 0, "{}: {:?}", pair.name, ran.pair);
        let told = ran
            .log
            .iter()
            .find(|line| line.service == "echo" && !line.method.is_empty());
        let told = told.unwrap_or_else(|| panic!("{}: no line: {:?}", pair.name, ran.log));
        assert_eq!(told.method, "echo.v1.Echo/Misbehave", "{}", pair.name);
        assert!(
            told.call.parse::<CallId>().is_ok(),
            "{}: {told:?}",
            pair.name
        );
    }
}

#[test]
fn behaviour_c_a_megabyte_is_echoed() {
    check_each(|deployed, pair| {
        let (app, _nats) = pair.app(deployed, &["echo:1048576"]);
        let ended = app.run();
        assert_eq!(
            ended.messages_of(driver(deployed)),
            ["echo:1048576: 1048576 bytes"],
            "{}",
            ended.stderr
        );
    });
}

#[test]
fn behaviour_c_ten_thousand_calls_have_distinct_ids() {
    // The last call is in flight before the first is answered.
    let calls = vec!["sleep:2000@60000"; 10_000].join("+");
    check_each(|deployed, pair| {
        // A large budget: the driver makes all calls before it awaits one, and Go's runtime wakes
        // all goroutines whose time has come in one turn.
        let (app, _nats) = pair.app_with(deployed, "budget = '5s'\nmemory = '256MiB'", &[&calls]);
        let ended = app.run();
        let answered = ended.messages_of(driver(deployed));
        assert_eq!(answered, ["sleep:2000@60000: 0 bytes"; 10_000]);
        let lines = ended.log();
        let ids: BTreeSet<_> = lines
            .iter()
            .filter(|line| line.message == "sleeping")
            .map(|line| line.call.as_str())
            .collect();
        assert!(ids.iter().all(|id| id.parse::<CallId>().is_ok()));
        assert_eq!(ids.len(), 10_000);
    });
}

#[test]
fn behaviour_d_a_killed_callee_is_reported_at_once() {
    check_each(|deployed, pair| {
        let (app, _nats) = pair.app(deployed, &["hang@60000+spin@60000"]);
        let ended = app.run();
        let messages = ended.messages_of(driver(deployed));
        let [hang, spin] = &messages[..] else {
            panic!("{}", ended.stderr)
        };
        // At once, and not with a timeout after the minute.
        assert!(
            hang.starts_with("hang@60000: UNAVAILABLE, callee killed: echo was killed"),
            "{hang}"
        );
        assert!(
            spin.starts_with("spin@60000: INTERNAL, callee killed: echo was killed"),
            "{spin}"
        );
    });
}

/// The deadline of the second call passes while the first call holds the thread.
#[test]
fn a_call_that_has_not_begun_is_refused() {
    check_each(|deployed, pair| {
        let (app, _nats) = pair.app(deployed, &["spin@60000+echo:1@20?"]);
        let ended = app.run();
        let messages = ended.messages_of(driver(deployed));
        let refused = messages
            .iter()
            .any(|line| line.starts_with("echo:1@20?: refused: "));
        assert!(refused, "{}", ended.stderr);
    });
}

/// In one process of the command, in two, and in hosts of this process.
#[test]
fn behaviour_e_a_guest_runs_alike_in_any_deployment() {
    check_each(|deployed, pair| {
        let calls = ["echo:16+echo:0", "refuse", "hang@200", "echo:1"];
        let expected = [
            "echo:16: 16 bytes",
            "echo:0: 0 bytes",
            "refuse: Refused",
            "hang@200: DEADLINE_EXCEEDED, timed out: no reply within the deadline",
            "echo:1: 1 bytes",
        ];
        let (app, _nats) = pair.app(deployed, &calls);
        let ended = app.run();
        assert_eq!(
            ended.messages_of(driver(deployed)),
            expected,
            "{}",
            ended.stderr
        );
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        for workers in [1, 4] {
            let settings = Settings {
                workers,
                code_cache: Some(code_cache()),
                ..Settings::default()
            };
            let (hosts, log) = Capture::during(|| Hosts::start(&app, &settings, &[]));
            let mut lines = log.until("echo:1: 1 bytes");
            lines.retain(|line| line.service == "driver");
            let messages: Vec<_> = lines.iter().map(|line| line.message.as_str()).collect();
            assert_eq!(messages, expected, "with {workers} workers");
            assert_eq!(hosts.stop().status, 0);
        }
    });
}

#[test]
fn behaviour_e_two_hosts_are_independent() {
    for pair in pairs() {
        let (app, _) = pair.app(Deployed::Together, &["echo:16", "echo:1"]);
        let settings = Settings {
            code_cache: Some(code_cache()),
            ..Settings::default()
        };
        let run = || Hosts::start(&app, &settings, &[]);
        let ((one, other), log) = Capture::during(|| (run(), run()));
        let lines = [log.until("echo:1: 1 bytes"), log.until("echo:1: 1 bytes")].concat();
        assert_eq!(
            (one.stop().status, other.stop().status),
            (0, 0),
            "{}",
            pair.name
        );
        let mut messages: Vec<_> = lines
            .iter()
            .filter(|line| line.service == "driver")
            .map(|line| line.message.as_str())
            .collect();
        messages.sort_unstable();
        let (first, last) = ("echo:16: 16 bytes", "echo:1: 1 bytes");
        assert_eq!(messages, [first, first, last, last], "{}", pair.name);
    }
}

#[test]
fn behaviour_h_an_id_parses_as_its_own_type_only() {
    let trial = Trial::of(Deployed::Together, Callee::Rust, "");
    let mut running = trial
        .caller("--lanes 1 --deadline-ms 30000 Nothing*5 Panic Again")
        .start();
    // The caller logs the failed call at about the same time.
    let line = loop {
        let line = running.wait_for("told to panic").clone();
        if line.service == "work" {
            break line;
        }
    };
    let id: CallId = line
        .call
        .parse()
        .unwrap_or_else(|error| panic!("{line:?}: {error}"));
    assert_eq!(id.to_string(), line.call);
    assert!(line.call.parse::<ServiceId>().is_err());
    running.end().assert_kept();
}
