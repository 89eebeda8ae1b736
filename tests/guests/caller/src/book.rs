//! How calls have ended.

use std::fmt::Write;
use std::time::Duration;

use golden::load::load::v1::Done;
use parigot_guest::{CallError, Cause, Context, Fate, Instant, Status};

/// How a call has ended, as its caller sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// With the answer.
    Ok,
    /// With the promise that it has not run.
    Refused,
    /// It may have run.
    Unknown,
    /// Long after its deadline.
    Silent,
    /// With something that is no answer to it.
    Wrong,
}

impl Class {
    pub(crate) fn of(expected: &Done, outcome: &Result<Done, CallError<Status>>) -> Self {
        match outcome {
            Ok(done) if done == expected => Class::Ok,
            Ok(_) => Class::Wrong,
            Err(error) => match error.fate() {
                // Not with an error of the service, which has none.
                Fate::Answered => Class::Wrong,
                Fate::Refused => Class::Refused,
                Fate::Unknown => Class::Unknown,
            },
        }
    }

    fn word(self) -> &'static str {
        match self {
            Class::Ok => "ok",
            Class::Refused => "refused",
            Class::Unknown => "unknown",
            Class::Silent => "silent",
            Class::Wrong => "wrong",
        }
    }
}

/// So many ends stand in a line.
const LINE_ENDS: usize = 512;

/// Writes down how calls end, many in a line.
pub(crate) struct Book {
    cx: Context,
    caller: u32,
    /// Those that are not written down.
    ends: Vec<(Class, u64)>,
    /// Since when no call was answered, though some have ended.
    down_since: Option<Instant>,
    /// Why the last has failed since then.
    last_cause: Option<Cause>,
    slowest_recovery: Duration,
}

impl Book {
    pub(crate) fn new(cx: Context, caller: u32) -> Self {
        Book {
            cx,
            caller,
            ends: Vec::new(),
            down_since: None,
            last_cause: None,
            slowest_recovery: Duration::ZERO,
        }
    }

    /// Says why a call has failed, if the last that did since one was answered did not for that cause.
    pub(crate) fn fail(&mut self, number: u64, error: &CallError<Status>) {
        let CallError::Status(status) = error else {
            return;
        };
        if self.last_cause.replace(status.cause()) != Some(status.cause()) {
            parigot_guest::info!(self.cx, "call {number} failed: {error}");
        }
    }

    pub(crate) fn end(&mut self, number: u64, class: Class) {
        self.ends.push((class, number));
        match self.down_since {
            None if class != Class::Ok => self.down_since = Some(self.cx.now()),
            Some(since) if class == Class::Ok => {
                self.slowest_recovery = self.slowest_recovery.max(self.cx.now() - since);
                (self.down_since, self.last_cause) = (None, None);
            }
            _ => {}
        }
        if self.ends.len() >= LINE_ENDS {
            self.write();
        }
    }

    /// All calls were made, and what has not ended is silent.
    pub(crate) fn close(&mut self, sent: u64) {
        self.write();
        let recovery_ms = self.slowest_recovery.as_millis();
        parigot_guest::info!(
            self.cx,
            "load: sent {}: {sent}, slowest recovery {recovery_ms} ms",
            self.caller
        );
    }

    /// `load: ended 0: ok 0-99,101-101 unknown 100-100`
    fn write(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        self.ends.sort_unstable();
        let mut line = format!("load: ended {}:", self.caller);
        let mut class = None;
        for run in self.ends.chunk_by(|a, b| a.0 == b.0 && a.1 + 1 == b.1) {
            let ((of, first), (_, end)) = (run[0], run[run.len() - 1]);
            match class.replace(of) {
                Some(same) if same == of => line.push(','),
                _ => write!(line, " {} ", of.word()).expect("a string takes all"),
            }
            write!(line, "{first}-{end}").expect("a string takes all");
        }
        parigot_guest::info!(self.cx, "{line}");
        self.ends.clear();
    }
}
