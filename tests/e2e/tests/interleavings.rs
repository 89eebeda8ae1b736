//! What holds in whatever order things happen, and how an order in which it does not is found again.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use e2e::{code_cache, guest_file, pizzeria};
use golden::echo::echo::v1::{Payload, echo};
use parigot_host::deployment::GuestSpec;
use parigot_host::testing::{Fake, Fault, Frame, Kind, Mishap, TestHost, TestRun};

const MS: Duration = Duration::from_millis(1);

/// Each call that its caller has not cancelled brought it one reply, be it the host's. To one that was cancelled a reply may have been on its
/// way.
#[track_caller]
fn every_call_has_ended_once(frames: &[Frame]) {
    for call in frames.iter().filter(|frame| frame.kind == Kind::Call) {
        let of_call = || frames.iter().filter(|frame| frame.call == call.call);
        let arrives = |frame: &Frame| !matches!(frame.mishap, Some(Mishap::Lost | Mishap::Crashed));
        let is_end =
            |frame: &&Frame| frame.kind == Kind::Reply && frame.to == call.from && arrives(frame);
        let is_cancelled =
            of_call().any(|frame| frame.kind == Kind::Cancel && frame.from == call.from);
        match of_call().filter(is_end).count() {
            1 => {}
            0 if is_cancelled => {}
            ends => panic!("it has ended {ends} times: {call}"),
        }
    }
}

/// Two programs that make these calls of one service.
fn ann_and_bob(host: TestHost, ann: &[&str], bob: &[&str]) -> TestHost {
    // Built once, and not for each seed.
    static DRIVER: LazyLock<PathBuf> = LazyLock::new(|| guest_file("driver"));
    host.code_cache(code_cache())
        .guest(GuestSpec::program("ann", &*DRIVER).with_args(ann.iter().copied()))
        .guest(GuestSpec::program("bob", &*DRIVER).with_args(bob.iter().copied()))
}

#[test]
fn every_call_of_four_guests_in_two_languages_ends_once_whatever_goes_wrong() {
    let deployment = pizzeria().join("pizzeria.toml");
    TestHost::interleavings(100, |host| {
        let mut host = host
            .code_cache(code_cache())
            .with_deployment(&deployment)
            .fault(Fault::lose_call().at_rate(0.03))
            .fault(Fault::lose_reply().at_rate(0.03))
            .fault(Fault::delay_call(20 * MS).at_rate(0.1))
            .fault(Fault::delay_reply(20 * MS).at_rate(0.1))
            .fault(Fault::crash_at_call().at_rate(0.03))
            .start();
        host.wait_for_exit("customer");
        // Whatever still runs has a deadline.
        host.advance(5_000 * MS);
        every_call_has_ended_once(&host.frames());
    });
}

#[test]
fn the_pizza_comes_in_whatever_order_things_happen() {
    let deployment = pizzeria().join("pizzeria.toml");
    // ANCHOR: scenario
    TestHost::interleavings(100, |host| {
        let mut host = host
            .code_cache(code_cache())
            .with_deployment(&deployment)
            .start();
        assert_eq!(host.wait_for_exit("customer"), 0);
        assert_eq!(
            host.log("customer").last().map(String::as_str),
            Some("ann brings the margherita")
        );
        every_call_has_ended_once(&host.frames());
    });
    // ANCHOR_END: scenario
}

#[test]
fn calls_of_two_programs_to_three_replicas_that_crash_end_once() {
    let calls = [
        "sleep:50+sleep:50+echo:1",
        "hang@20+panic+sleep:50",
        "echo:2!+echo:3+trap",
        "sleep:200",
        "echo:4",
    ];
    let echo = GuestSpec {
        replicas: 3,
        ..GuestSpec::service("echo", guest_file("echo"))
    };
    TestHost::interleavings(100, |host| {
        let host = ann_and_bob(host, &calls, &calls).guest(echo.clone());
        let mut host = host.fault(Fault::crash_at_reply().at_rate(0.1)).start();
        assert_eq!(
            (host.wait_for_exit("ann"), host.wait_for_exit("bob")),
            (0, 0)
        );
        every_call_has_ended_once(&host.frames());
    });
}

#[test]
fn what_runs_with_a_seed_is_the_same_each_time_frame_by_frame() {
    let run = |seed: u64| {
        let host = TestHost::new().seed(seed).code_cache(code_cache());
        let mut host = host
            .with_deployment(pizzeria().join("pizzeria.toml"))
            .fault(Fault::lose_reply().at_rate(0.1))
            .fault(Fault::crash_at_call().at_rate(0.05))
            .start();
        host.wait_for_exit("customer");
        host.frames()
    };
    let first: Vec<Vec<Frame>> = (0..10).map(run).collect();
    for (seed, frames) in (0..).zip(&first) {
        assert!(run(seed) == *frames, "seed {seed}");
    }
    let order = |frames: &Vec<Frame>| {
        frames
            .iter()
            .map(|frame| (frame.from.clone(), frame.kind as u16))
            .collect::<Vec<_>>()
    };
    assert!(
        first.iter().any(|frames| order(frames) != order(&first[0])),
        "no two seeds differ"
    );
}

/// Runs two programs, and returns in which order what they have sent came to the service.
fn race(host: TestHost) -> (TestRun, Vec<usize>) {
    let service = Fake::new("echo");
    service.on::<echo::Echo>(Ok);
    let mut host = ann_and_bob(host, &["echo:1"], &["echo:2"])
        .fake(&service)
        .start();
    host.run_until_idle();
    let came = service
        .requests::<echo::Echo>()
        .iter()
        .map(|Payload { data }| data.len())
        .collect();
    (host, came)
}

/// Tells the test below to make a mistake.
const MISTAKE: &str = "PARIGOT_TEST_MISTAKE";

#[test]
fn two_programs_race() {
    let is_mistaken = std::env::var_os(MISTAKE).is_some();
    TestHost::interleavings(100, |host| {
        let (_host, mut came) = race(host);
        if !is_mistaken {
            came.sort();
        }
        assert_eq!(came, [1, 2], "ann comes first");
    });
}

/// Runs the test above, mistaken, and returns what it printed when it failed; `None` if it passed.
fn mistaken_race(seeds: Option<&str>) -> Option<String> {
    let mut test = Command::new(std::env::current_exe().expect("this test has a file"));
    test.args(["--exact", "two_programs_race", "--nocapture"])
        .env(MISTAKE, "1")
        .env_remove("PARIGOT_SEEDS");
    seeds
        .into_iter()
        .for_each(|seeds| _ = test.env("PARIGOT_SEEDS", seeds));
    let output = test.output().expect("it runs");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The frames that are printed of a run that failed.
fn frames(printed: &str) -> Vec<&str> {
    let lines = printed
        .lines()
        .skip_while(|line| !line.starts_with("frames that were sent"));
    lines.take_while(|line| !line.is_empty()).collect()
}

#[test]
fn a_race_is_found_and_the_seed_that_is_printed_repeats_it() {
    assert_eq!(
        race(TestHost::new()).1,
        [1, 2],
        "without a seed they come in their order"
    );
    let found = mistaken_race(None).expect("some order shows the mistake");
    let (_, rest) = found
        .split_once("PARIGOT_SEEDS=")
        .expect("it says how to repeat it");
    let seed: u64 = rest
        .split(' ')
        .next()
        .and_then(|seed| seed.parse().ok())
        .expect("a seed is a number");
    let again = mistaken_race(Some(&seed.to_string())).expect("the same seed shows it again");
    assert!(frames(&found).len() > 10, "{found}");
    assert_eq!(frames(&found), frames(&again));
    assert!(again.contains("ann comes first"), "{again}");
    let harmless = (0..100)
        .find(|seed| race(TestHost::new().seed(*seed)).1 == [1, 2])
        .expect("some order hides it");
    assert_eq!(mistaken_race(Some(&harmless.to_string())), None);
}
