//! Nested calls inherit deadline, cancellation and trace of the call they are made for, and nothing
//! else.

use e2e::{App, Ended, Started, go_guest, guest};
use serde_json::{Value, json};

/// Returns the guest of that name in both languages.
fn both(name: &str) -> [(&'static str, Vec<u8>); 2] {
    [("Rust", guest(name)), ("Go", go_guest(name))]
}

/// Runs the driver with these calls to each `relay`, which calls each `tail`, and checks the
/// result.
fn each(calls: &[&str], check: impl Fn(&Ended)) {
    let (relays, tails, driver) = (both("relay"), both("tail"), guest("driver"));
    for (relay_language, relay) in &relays {
        for (tail_language, tail) in &tails {
            let app = App::new(&format!(
                "[service.relay]\nwasm = \"relay.wasm\"\ndeadline = \"40s\"\n[service.tail]\nwasm \
                 = \"tail.wasm\"\ndeadline = \"1h\"\n\
                 [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
            ));
            let app = app
                .with("relay.wasm", relay)
                .with("tail.wasm", tail)
                .with("driver.wasm", &driver);
            let ended = app.run();
            println!(
                "{relay_language} relays to {tail_language}:\n{}",
                ended.stderr
            );
            check(&ended);
            assert_eq!(ended.status, Some(0));
        }
    }
}

/// Returns the remaining deadline of each call of `tail`, in milliseconds.
fn given_ms(ended: &Ended) -> Vec<u64> {
    let given = ended.messages_of("tail").into_iter().filter_map(|message| {
        let (_, ms) = message.rsplit_once(" within ")?;
        Some(
            ms.trim_end_matches(" ms")
                .parse()
                .expect("the text must be a number"),
        )
    });
    given.collect()
}

#[test]
fn a_nested_call_inherits_the_remaining_deadline() {
    // The relay's own default is 40 s, the tail's an hour.
    each(&["echo:1", "echo:1@20000", "echo:60000@100"], |ended| {
        let [default, short, shorter] = given_ms(ended)[..] else {
            panic!("three calls were relayed")
        };
        assert!((20_001..=40_000).contains(&default) && short <= 20_000 && shorter <= 100);
        let told = ended.messages_of("driver");
        assert_eq!(told[..2], ["echo:1: 1 bytes", "echo:1@20000: 1 bytes"]);
        // The relay's nested call ends at the same moment, so its answer may reach the driver
        // first.
        let ends = [
            "DEADLINE_EXCEEDED, timed out: no reply within the deadline",
            "Refused",
        ];
        assert!(
            ends.map(|end| format!("echo:60000@100: {end}"))
                .contains(&told[2]),
            "{}",
            told[2]
        );
        assert_eq!(
            ended.messages_of("tail").last().map(String::as_str),
            Some("cancelled")
        );
    });
}

#[test]
fn the_record_of_a_failed_guest_has_the_callers() {
    for (language, relay) in both("relay") {
        let app = App::new(
            "[service.relay]\nwasm = \"relay.wasm\"\n\
             [service.tail]\nwasm = \"tail.wasm\"\nenv = { PANIC = \"1\" }\n\
             [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"echo:1\"]\n",
        );
        let ended = app
            .with("relay.wasm", relay)
            .with("tail.wasm", guest("tail"))
            .with("driver.wasm", guest("driver"))
            .run();
        let lines: Vec<_> = ended
            .stderr
            .lines()
            .skip_while(|line| !line.contains("told to panic"))
            .filter(|line| line.starts_with("    called by "))
            .collect();
        let [relay, driver] = lines[..] else {
            panic!("{language}: {}", ended.stderr)
        };
        let serves = "    called by relay, which serves echo.v1.Echo/Echo, cal_";
        assert!(relay.starts_with(serves), "{language}: {}", ended.stderr);
        assert_eq!(driver, "    called by driver", "{language}");
    }
}

#[test]
fn cancellation_reaches_nested_calls() {
    each(&["echo:60000!1000", "echo:1"], |ended| {
        assert_eq!(
            ended.messages_of("driver"),
            [
                "echo:60000!1000: CANCELLED, unspecified: dropped",
                "echo:1: 1 bytes"
            ]
        );
        let tail = ended.messages_of("tail");
        assert_eq!(
            tail.iter()
                .filter(|message| *message == "cancelled")
                .count(),
            1
        );
    });
}

/// The trace id of the first call stands beside the lines of all guests that serve a part of it.
#[test]
fn lines_within_a_call_have_its_trace_id() {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let traced = format!("echo:1#traceparent=00-{trace}-b7ad6b7169203331-01");
    for tail in [guest("tail"), go_guest("tail")] {
        let app = App::new(&format!(
            "[service.relay]\nwasm = \"relay.wasm\"\n[service.tail]\nwasm = \"tail.wasm\"\n\
             [program.driver]\nwasm = \"driver.wasm\"\nargs = {:?}\n",
            [&*traced, "echo:1"]
        ));
        let app = app
            .with("relay.wasm", guest("relay"))
            .with("tail.wasm", tail)
            .with("driver.wasm", guest("driver"));
        let ended = Started::new(app.command().args(["--log-format", "json"])).wait();
        let lines = ended.stderr.lines().map(|line| {
            let line = serde_json::from_str::<Value>(line);
            line.unwrap_or_else(|error| panic!("{error}: {}", ended.stderr))
        });
        let of_tail = lines.filter(|line| line["service"] == "tail");
        let traces: Vec<_> = of_tail.map(|line| line["trace"].clone()).collect();
        assert_eq!(traces, [json!(trace), Value::Null], "{}", ended.stderr);
    }
}

#[test]
fn only_trace_metadata_is_propagated() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let traced = format!("echo:1#colour=red#traceparent={parent}#tracestate=a:1");
    let parent_only = format!("echo:1#traceparent={parent}");
    each(
        &[
            &traced,
            &parent_only,
            "echo:1#colour=red",
            "echo:1#tracestate=a:1",
        ],
        |ended| {
            let tail = ended.messages_of("tail");
            let came: Vec<_> = tail
                .iter()
                .filter_map(|message| message.split_once(" within "))
                .map(|(came, _)| came)
                .collect();
            assert_eq!(
                came,
                [
                    format!("{parent} a:1 -"),
                    format!("{parent} - -"),
                    "- - -".into(),
                    "- - -".into()
                ]
            );
        },
    );
}
