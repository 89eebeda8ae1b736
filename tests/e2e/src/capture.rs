//! What a host in this process logs, as it comes.

use std::fmt::Debug;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::DEADLINE;

/// The log of a host that runs in this process, as it is without being asked for more.
#[derive(Debug)]
pub struct Capture {
    lines: Receiver<Captured>,
}

/// A line of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The guest's name.
    pub service: String,
    /// `ins_…`, the instance that the line is about, or nothing.
    pub instance: String,
    /// The id of the call that it is about, or nothing.
    pub call: String,
    /// What is said.
    pub message: String,
    /// The method that was being served when the guest broke, or nothing.
    pub method: String,
    /// CPU time that a guest had taken when it was killed.
    pub cpu: Option<Duration>,
}

impl Capture {
    /// Runs `start`, and captures what it and all threads that it makes log.
    pub fn during<R>(start: impl FnOnce() -> R) -> (R, Capture) {
        Capture::without(|_| false, start)
    }

    /// The same without the lines that `take` takes, on the thread that logs them: there may be millions of those.
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

    /// What has come and was not waited for.
    pub fn rest(&self) -> Vec<Captured> {
        self.lines.try_iter().collect()
    }

    /// The next line.
    ///
    /// # Panics
    ///
    /// If there is none within [`DEADLINE`].
    #[track_caller]
    pub fn next_line(&self) -> Captured {
        self.lines
            .recv_timeout(DEADLINE)
            .unwrap_or_else(|error| panic!("no line: {error}"))
    }

    /// Waits for a line that contains `text`, and returns all up to it.
    ///
    /// # Panics
    ///
    /// If none comes within [`DEADLINE`].
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

    /// Waits for a line that contains `text`; those before it are gone.
    ///
    /// # Panics
    ///
    /// If none comes within [`DEADLINE`].
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> Captured {
        self.until(text).pop().expect("the last one is it")
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
            // A test that has seen enough no longer listens.
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
