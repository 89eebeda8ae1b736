//! Callers and handlers in each pair of languages, in one process and in two, with the same ends of
//! their streams.

use e2e::{App, Deployed, Ended, Language, Nats, PAIRS, soak};

use super::outcomes_of;

/// Languages of the caller and of the service.
type Pair = (Language, Language);

/// Deployment of a pair. The server must outlive the processes.
struct Streams {
    deployed: Deployed,
    app: App,
    _nats: Option<Nats>,
}

impl Streams {
    /// Deploys a caller with these calls, and a service with these keys in its table.
    fn new(deployed: Deployed, (caller, service): Pair, keys: &str, calls: &[&str]) -> Self {
        let deployment = format!(
            "[service.feed]\nwasm = \"feed.wasm\"\n{keys}\n\
             [program.streamer]\nwasm = \"streamer.wasm\"\nargs = {calls:?}\n"
        );
        let app = App::new(&deployment)
            .with("feed.wasm", service.guest("feed"))
            .with("streamer.wasm", caller.guest("streamer"));
        let (app, nats) = deployed.spread(app, &[("front", "streamer"), ("back", "feed")]);
        Streams {
            deployed,
            app,
            _nats: nats,
        }
    }

    /// Returns how the calls have ended.
    #[track_caller]
    fn outcomes(&self, ended: &Ended, calls: &[&str]) -> Vec<String> {
        outcomes_of(ended, self.name("streamer", "front/streamer"), calls)
    }

    fn name(&self, together: &'static str, apart: &'static str) -> &'static str {
        match self.deployed {
            Deployed::Together => together,
            Deployed::Apart => apart,
        }
    }
}

/// Runs `check` with each pair, in one process and in two.
fn check_each(check: impl Fn(Deployed, Pair)) {
    for deployed in Deployed::EACH {
        for pair in PAIRS {
            println!("{deployed:?}, {pair:?}");
            check(deployed, pair);
        }
    }
}

/// Calls, and the beginnings of their ends.
const CALLS: &[(&str, &str)] = &[
    ("watch=count 0", "0 items, complete"),
    ("watch=count 1000", "1000 items, complete"),
    ("watch=full 9", "9 items, answered: FULL"),
    ("watch/3=bytes 16", "3 items, complete"),
    ("watch/9=bytes 1000000", "9 items, complete"),
    (
        "watch@1000=hang",
        "0 items, unknown: DEADLINE_EXCEEDED: timed out: ",
    ),
    ("upload=a,b,c,d,e,f,g", "7"),
    ("upload=a,stop,b,c,d,e,f,g", "2"),
    ("upload=a,full,b,c,d,e,f,g", "answered: FULL"),
    ("upload=a,b,c,d,e,f,…", "broken off"),
    ("chat=0", "sent true, 0 items, complete"),
    ("chat=1000", "sent true, 1000 items, complete"),
    ("last=x", "x"),
];

#[test]
fn each_pair_of_languages_streams_alike() {
    let calls: Vec<_> = CALLS.iter().map(|(call, _)| *call).collect();
    check_each(|deployed, pair| {
        let streams = Streams::new(deployed, pair, "", &calls);
        let ended = streams.app.run();
        for ((call, expected), outcome) in CALLS.iter().zip(streams.outcomes(&ended, &calls)) {
            assert!(outcome.starts_with(expected), "{call}: {outcome}");
        }
        let service = ["hanging", "handler dropped", "upload: CANCELLED"];
        assert_eq!(
            ended.messages_of(streams.name("feed", "back/feed")),
            service,
            "{}",
            ended.stderr
        );
    });
}

#[test]
fn items_precede_the_end_of_a_service_in_each_language() {
    check_each(|deployed, pair| {
        for (call, expected) in [
            (
                "watch=panic 9",
                "9 items, unknown: INTERNAL: callee trapped: ",
            ),
            (
                "watch=trap 2",
                "2 items, unknown: INTERNAL: callee trapped: ",
            ),
            (
                "watch=exit 9",
                "9 items, unknown: UNAVAILABLE: callee exited: ",
            ),
            ("upload=a,panic,b", "unknown: INTERNAL: callee trapped: "),
        ] {
            let streams = Streams::new(deployed, pair, "restart = \"never\"", &[call]);
            let ended = streams.app.run();
            let outcome = streams.outcomes(&ended, &[call]).remove(0);
            assert!(outcome.starts_with(expected), "{call}: {outcome}");
        }
    });
}

#[test]
fn no_item_is_lost_between_languages_while_the_service_fails() {
    let calls = format!("ledger={}", soak(20_000, 1_000_000));
    let keys = "max_restarts = 1000\nmax_seconds = 1";
    check_each(|deployed, pair| {
        let streams = Streams::new(deployed, pair, keys, &[&calls]);
        let ended = streams.app.run();
        let outcome = streams.outcomes(&ended, &[&calls]).remove(0);
        assert!(outcome.starts_with("wrong 0, "), "{outcome}");
    });
}

#[test]
fn a_sender_with_credit_yields() {
    // An item takes some milliseconds, and four of them more than the budget of a turn.
    for service in Language::EACH {
        let pair = (Language::Rust, service);
        let streams = Streams::new(Deployed::Together, pair, "", &["watch=toil 40"]);
        let ended = streams.app.run();
        let outcomes = streams.outcomes(&ended, &["watch=toil 40"]);
        assert_eq!(
            outcomes,
            ["40 items, complete"],
            "{service:?}: {}",
            ended.stderr
        );
    }
}

#[test]
fn unread_streams_of_each_language_block_no_other_call() {
    let calls = ["unread=1000:bytes 1000", "watch=count 100", "last=x"];
    check_each(|deployed, pair| {
        let streams = Streams::new(deployed, pair, "", &calls);
        let mut started = streams.app.start();
        started.wait_for("last=x: x");
        started.interrupt();
        let ended = started.wait();
        assert_eq!(
            streams.outcomes(&ended, &calls),
            ["1000 open", "100 items, complete", "x"]
        );
    });
}
