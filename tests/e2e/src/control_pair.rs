//! A control pair: two guests that call each other all the time beside the guests under test. Its
//! calls show whether a fault reaches guests that it must not reach.

use std::time::Duration;

use parigot_host::{Outcome, Settings};

use crate::{App, Capture, Captured, Hosts, code_cache, example, guest};

/// The guests' names.
pub const CONTROL_PAIR: [&str; 2] = ["greeting", "prober"];

/// A deployment to which the control pair was added.
#[derive(Debug)]
pub struct WithControlPair {
    app: App,
    settings: Settings,
    child_processes: &'static [&'static str],
}

/// Outcome of a run beside the control pair.
#[derive(Debug)]
pub struct Ran {
    /// Outcome of the deployment, which the test has stopped.
    pub outcome: Outcome,
    /// The log, without the lines of the control pair.
    pub log: Vec<Captured>,
    /// The calls of the control pair.
    pub pair: PairCalls,
}

/// Counts of the control pair's calls.
#[derive(Debug)]
pub struct PairCalls {
    /// Answered calls.
    pub answered: u64,
    /// Failed calls.
    pub failed: u64,
    /// The longest time from one call to the next, on the host's clock.
    pub longest: Duration,
}

impl WithControlPair {
    /// Adds the control pair, with a pause of 1 ms between its calls, to an app that has no guests
    /// named `greeting` or `prober`. An app with several processes must already assign both names
    /// to one.
    pub fn new(app: App) -> Self {
        let greeting = std::fs::read(example().join("build/greeting.wasm"))
            .expect("`make build` must write build/greeting.wasm");
        let app = app
            .with("greeting.wasm", greeting)
            .with("prober.wasm", guest("prober"));
        let settings = Settings {
            workers: 2,
            seed: Some([7; 32]),
            code_cache: Some(code_cache()),
            ..Settings::default()
        };
        let tables = "[service.greeting]\nwasm = \"greeting.wasm\"\n[program.prober]\nwasm = \
                      \"prober.wasm\"\n";
        WithControlPair {
            app: app.with_tables(tables),
            settings,
            child_processes: &[],
        }
    }

    /// Removes the pause between calls, so that the pair is never idle.
    pub fn without_pauses(self) -> Self {
        WithControlPair {
            app: self.app.with_tables("args = [\"--no-pause\"]\n"),
            ..self
        }
    }

    /// Changes the settings of the hosts.
    pub fn with_settings(self, change: impl FnOnce(Settings) -> Settings) -> Self {
        WithControlPair {
            settings: change(self.settings),
            ..self
        }
    }

    /// Runs these processes of the deployment as child processes, which can be killed. The others
    /// are hosts in this process.
    pub fn with_child_processes(self, names: &'static [&'static str]) -> Self {
        WithControlPair {
            child_processes: names,
            ..self
        }
    }

    /// Runs the deployment until a line contains `until` and the pair has made at least a hundred
    /// more calls, and stops it.
    #[track_caller]
    pub fn run(self, until: &str) -> Ran {
        let started = self.start(|_| false);
        let log = started.log.until(until);
        started.stop(log)
    }

    /// Starts the deployment, and captures its log except the lines for which `take` returns true.
    #[track_caller]
    pub fn start(
        self,
        take: impl Fn(&Captured) -> bool + Send + Sync + 'static,
    ) -> StartedWithPair {
        let (hosts, log) = Capture::without(take, || {
            Hosts::start(&self.app, &self.settings, self.child_processes)
        });
        StartedWithPair {
            hosts,
            log,
            app: self.app,
        }
    }
}

/// A running deployment with the control pair.
#[derive(Debug)]
pub struct StartedWithPair {
    /// The hosts of the deployment.
    pub hosts: Hosts,
    /// The log.
    pub log: Capture,
    /// The files.
    pub app: App,
}

impl StartedWithPair {
    /// Stops the deployment once the pair has made at least a hundred more calls. `log` is the part
    /// of the log that the test has read.
    #[track_caller]
    pub fn stop(self, mut log: Vec<Captured>) -> Ran {
        let StartedWithPair {
            hosts,
            log: capture,
            app: _app,
        } = self;
        log.extend(capture.until("calling"));
        log.extend(capture.until("calling"));
        let outcome = hosts.stop();
        log.extend(capture.rest());
        let counts = log
            .iter()
            .find(|line| line.message.starts_with("answered "))
            .expect("the prober must log its counts when it is stopped");
        let pair = PairCalls::read(counts);
        log.retain(|line| !CONTROL_PAIR.contains(&&*line.service));
        Ran { outcome, log, pair }
    }
}

impl Ran {
    /// Returns the messages of a guest's lines, including those that the host logs about it.
    pub fn messages_of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a str> {
        self.log
            .iter()
            .filter(move |line| line.service == service)
            .map(|line| line.message.as_str())
    }
}

impl PairCalls {
    fn read(line: &Captured) -> Self {
        let mut numbers = line
            .message
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok());
        let mut next = || numbers.next().expect("the prober logs three numbers");
        PairCalls {
            answered: next(),
            failed: next(),
            longest: Duration::from_micros(next()),
        }
    }
}
