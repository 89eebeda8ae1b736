//! A pair of guests that calls all the time beside those that a test is about, and what becomes of its calls.

use std::time::Duration;

use parigot_host::{Outcome, Settings};

use crate::{App, Capture, Captured, Hosts, code_cache, example, guest};

/// The names of the pair.
pub const NEIGHBOURS: [&str; 2] = ["greeting", "pacer"];

/// A deployment to which the pair was added.
#[derive(Debug)]
pub struct BesideNeighbours {
    app: App,
    settings: Settings,
    elsewhere: &'static [&'static str],
}

/// How it went.
#[derive(Debug)]
pub struct Ran {
    /// How the deployment ended, which is stopped when the test has seen enough.
    pub outcome: Outcome,
    /// All that was logged, but for the neighbours' own lines.
    pub log: Vec<Captured>,
    /// What became of the neighbours' calls.
    pub neighbours: Tally,
}

/// What the pair says of its calls.
#[derive(Debug)]
pub struct Tally {
    /// Those that were answered.
    pub answered: u64,
    /// Those that failed.
    pub failed: u64,
    /// The longest time from one call to the next, on the host's clock.
    pub longest: Duration,
}

impl BesideNeighbours {
    /// Adds the pair, a millisecond between its calls, to an app whose guests are not named `greeting` or `pacer`. If that is apart, it says in which
    /// process they are.
    pub fn new(app: App) -> Self {
        let greeting =
            std::fs::read(example().join("build/greeting.wasm")).expect("the example is built");
        let app = app
            .with("greeting.wasm", greeting)
            .with("pacer.wasm", guest("pacer"));
        let settings = Settings {
            workers: 2,
            seed: Some([7; 32]),
            code_cache: Some(code_cache()),
            ..Settings::default()
        };
        let tables = "[service.greeting]\nwasm = \"greeting.wasm\"\n[program.pacer]\nwasm = \"pacer.wasm\"\n";
        BesideNeighbours {
            app: app.with_tables(tables),
            settings,
            elsewhere: &[],
        }
    }

    /// Lets the pair call without a pause, so that it is never idle.
    pub fn in_a_hurry(self) -> Self {
        BesideNeighbours {
            app: self.app.with_tables("args = [\"--hurry\"]\n"),
            ..self
        }
    }

    /// Changes how the host runs.
    pub fn with_settings(self, change: impl FnOnce(Settings) -> Settings) -> Self {
        BesideNeighbours {
            settings: change(self.settings),
            ..self
        }
    }

    /// Runs these processes as processes of the system, which can be killed.
    pub fn with_elsewhere(self, elsewhere: &'static [&'static str]) -> Self {
        BesideNeighbours { elsewhere, ..self }
    }

    /// Runs it until a line contains `until` and the pair has made a hundred more calls after that, and then stops it.
    #[track_caller]
    pub fn run(self, until: &str) -> Ran {
        let started = self.start(|_| false);
        let log = started.log.until(until);
        started.stop(log)
    }

    /// Starts it, and captures its log without the lines that `take` takes.
    #[track_caller]
    pub fn start(self, take: impl Fn(&Captured) -> bool + Send + Sync + 'static) -> StartedBeside {
        let (hosts, log) = Capture::without(take, || {
            Hosts::start(&self.app, &self.settings, self.elsewhere)
        });
        StartedBeside {
            hosts,
            log,
            app: self.app,
        }
    }
}

/// A deployment that runs beside the pair.
#[derive(Debug)]
pub struct StartedBeside {
    /// What runs it.
    pub hosts: Hosts,
    /// Its log.
    pub log: Capture,
    /// Its files.
    pub app: App,
}

impl StartedBeside {
    /// Stops it, once the pair has made a hundred more calls. `log` is what was read of the log before.
    #[track_caller]
    pub fn stop(self, mut log: Vec<Captured>) -> Ran {
        let StartedBeside {
            hosts,
            log: capture,
            app: _app,
        } = self;
        log.extend(capture.until("calling"));
        log.extend(capture.until("calling"));
        let outcome = hosts.stop();
        log.extend(capture.rest());
        let told = log
            .iter()
            .find(|line| line.message.starts_with("answered "))
            .expect("the pacer counts");
        let neighbours = Tally::read(told);
        log.retain(|line| !NEIGHBOURS.contains(&&*line.service));
        Ran {
            outcome,
            log,
            neighbours,
        }
    }
}

impl Ran {
    /// The messages that a guest wrote to its log, those about it by the host included.
    pub fn messages_of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a str> {
        self.log
            .iter()
            .filter(move |line| line.service == service)
            .map(|line| line.message.as_str())
    }
}

impl Tally {
    fn read(line: &Captured) -> Self {
        let mut numbers = line
            .message
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok());
        let mut next = || numbers.next().expect("three numbers");
        Tally {
            answered: next(),
            failed: next(),
            longest: Duration::from_micros(next()),
        }
    }
}
