//! Captures the log of hosts in this process.

use std::fmt::Debug;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::DEADLINE;

/// The log of hosts in this process, at level INFO and above.
#[derive(Debug)]
pub struct Capture {
    lines: Receiver<Captured>,
}

/// A line of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The guest's name.
    pub service: String,
    /// `ins_…`, the instance that the line is about, or empty.
    pub instance: String,
    /// The id of the call that the line is about, or empty.
    pub call: String,
    /// The message.
    pub message: String,
    /// The method that the guest was serving when it failed, or empty.
    pub method: String,
    /// CPU time that the guest had used when it was killed.
    pub cpu: Option<Duration>,
}

impl Capture {
    /// Runs `start`, and captures the log of this thread and of the hosts that `start` starts.
    pub fn during<R>(start: impl FnOnce() -> R) -> (R, Capture) {
        Capture::without(|_| false, start)
    }

    /// Does the same except the lines for which `take` returns true. `take` runs on the thread that
    /// logs the line: tests use it to count millions of lines without keeping them.
    pub fn without<R>(
        take: impl Fn(&Captured) -> bool + Send + Sync + 'static,
        start: impl FnOnce() -> R,
    ) -> (R, Capture) {
        let (rest, lines) = channel();
        let subscriber = tracing_subscriber::registry().with(Tap { take, rest });
        (
            tracing::subscriber::with_default(subscriber, start),
            Capture { lines },
        )
    }

    /// Returns the lines that have arrived and were not read yet. Does not wait.
    pub fn rest(&self) -> Vec<Captured> {
        self.lines.try_iter().collect()
    }

    /// Waits for the next line.
    ///
    /// # Panics
    ///
    /// If none arrives within [`DEADLINE`].
    #[track_caller]
    pub fn next_line(&self) -> Captured {
        self.lines
            .recv_timeout(DEADLINE)
            .unwrap_or_else(|error| panic!("no line: {error}"))
    }

    /// Waits for a line that contains `text`. Returns all lines up to it.
    ///
    /// # Panics
    ///
    /// If no such line arrives within [`DEADLINE`].
    #[track_caller]
    pub fn until(&self, text: &str) -> Vec<Captured> {
        let mut lines = Vec::new();
        let until = Instant::now() + DEADLINE;
        loop {
            let line = self
                .lines
                .recv_timeout(until.saturating_duration_since(Instant::now()));
            lines.push(line.unwrap_or_else(|error| panic!("no line with {text:?}: {error}")));
            if lines.last().is_some_and(|line| line.message.contains(text)) {
                return lines;
            }
        }
    }

    /// Waits for a line that contains `text`, and drops the lines before it.
    ///
    /// # Panics
    ///
    /// If no such line arrives within [`DEADLINE`].
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> Captured {
        self.until(text)
            .pop()
            .expect("`until` returns the line it waited for last")
    }
}

struct Tap<T> {
    take: T,
    rest: Sender<Captured>,
}

impl<S: Subscriber, T: Fn(&Captured) -> bool + 'static> Layer<S> for Tap<T> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() > Level::INFO {
            return;
        }
        let mut line = Captured::default();
        event.record(&mut line);
        if !(self.take)(&line) {
            // Fails if the test has dropped its `Capture`, and then the line is not needed.
            let _ = self.rest.send(line);
        }
    }
}

impl Visit for Captured {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "cpu_us" {
            self.cpu = Some(Duration::from_micros(value));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "service" => self.service = format!("{value:?}"),
            "instance" => self.instance = format!("{value:?}"),
            "call" => self.call = format!("{value:?}"),
            "method" => self.method = format!("{value:?}"),
            "message" => self.message = format!("{value:?}"),
            _ => {}
        }
    }
}
