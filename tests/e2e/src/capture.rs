//! What a host in this process logs, as it comes.

use std::fmt::Debug;
use std::sync::mpsc::{Receiver, Sender, channel};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::DEADLINE;

/// The log of a host that runs in this process.
#[derive(Debug)]
pub struct Capture {
    lines: Receiver<Captured>,
}

/// A line of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The guest's name.
    pub service: String,
    /// What is said.
    pub message: String,
}

impl Capture {
    /// Runs `start`, and captures what it and all threads that it makes log.
    pub fn during<R>(start: impl FnOnce() -> R) -> (R, Capture) {
        let (sender, lines) = channel();
        let subscriber = tracing_subscriber::registry().with(Tap(sender));
        (tracing::subscriber::with_default(subscriber, start), Capture { lines })
    }

    /// Waits for a line that contains `text`.
    ///
    /// # Panics
    ///
    /// If none comes within [`DEADLINE`].
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> Captured {
        loop {
            let line =
                self.lines.recv_timeout(DEADLINE).unwrap_or_else(|error| panic!("no line with {text:?}: {error}"));
            if line.message.contains(text) {
                return line;
            }
        }
    }
}

struct Tap(Sender<Captured>);

impl<S: Subscriber> Layer<S> for Tap {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Captured::default();
        event.record(&mut line);
        // A test that has seen enough no longer listens.
        let _ = self.0.send(line);
    }
}

impl Visit for Captured {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "service" => self.service = format!("{value:?}"),
            "message" => self.message = format!("{value:?}"),
            _ => {}
        }
    }
}
