//! Log subscriber that collects lines.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

use super::WAIT_MAX;

/// Log lines in the form `LEVEL text`.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Collected>);

#[derive(Default)]
struct Collected {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Lines {
    pub(super) fn new() -> Self {
        // With a single subscriber, `tracing` asks the thread that first reaches a callsite if the
        // subscriber wants it, and caches the answer. This thread may belong to another test. A
        // second subscriber turns this off.
        static SECOND: OnceLock<Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| Dispatch::new(Lines::default()));
        Self::default()
    }

    /// Runs `make` with this subscriber. Threads that a transport starts inherit it.
    pub(super) fn of<T>(&self, make: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&Dispatch::new(self.clone()), make)
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.0.lines.lock().unwrap().clone()
    }

    /// Waits for a line with this beginning.
    pub(super) fn wait_for(&self, beginning: &str) {
        let lacks = |lines: &mut Vec<String>| !lines.iter().any(|line| line.starts_with(beginning));
        let (lines, result) = self
            .0
            .grown
            .wait_timeout_while(self.0.lines.lock().unwrap(), WAIT_MAX, lacks)
            .unwrap();
        assert!(!result.timed_out(), "no {beginning:?} in {lines:?}");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = event.metadata().level().to_string();
        event.record(&mut Text(&mut line));
        self.0.lines.lock().unwrap().push(line);
        self.0.grown.notify_all();
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

struct Text<'l>(&'l mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            *self.0 += &format!(" {value:?}");
        }
    }
}
