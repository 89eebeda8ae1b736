//! Records how calls end.

use std::fmt::Write;
use std::time::Duration;

use golden::load::load::v1::Done;
use parigot_guest::{CallError, Cause, Context, Fate, Instant, Status};

/// The class of a call that has ended, as its caller sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Answered with the expected answer.
    Ok,
    /// Failed, with the promise that the call has not run.
    Refused,
    /// Failed, and may have run.
    Unknown,
    /// Ended long after its deadline.
    Silent,
    /// Answered with something that is not the answer to this call.
    Wrong,
}

impl Class {
    pub(crate) fn of(expected: &Done, outcome: &Result<Done, CallError<Status>>) -> Self {
        match outcome {
            Ok(done) if done == expected => Class::Ok,
            Ok(_) => Class::Wrong,
            Err(error) => match error.fate() {
                // The service defines no errors of its own.
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

/// Number of ended calls in a line of the log.
const LINE_ENDS: usize = 512;

/// Longest time of a quick refusal.
const QUICK: Duration = Duration::from_millis(10);

/// Logs how calls end, many in a line.
pub(crate) struct Book {
    cx: Context,
    caller: u32,
    /// Ended calls that are not logged yet.
    ends: Vec<(Class, u64)>,
    /// Time of the first failed call since the last answer.
    down_since: Option<Instant>,
    /// Cause of the last failed call since the last answer.
    last_cause: Option<Cause>,
    slowest_recovery: Duration,
    begun: Instant,
    last_end: Instant,
    /// Number of refused calls, and of those that were refused within [`QUICK`].
    refused: [u64; 2],
}

impl Book {
    pub(crate) fn new(cx: Context, caller: u32) -> Self {
        let now = cx.now();
        Book {
            cx,
            caller,
            begun: now,
            last_end: now,
            refused: [0; 2],
            ends: Vec::new(),
            down_since: None,
            last_cause: None,
            slowest_recovery: Duration::ZERO,
        }
    }

    /// Logs why a call has failed, unless the failed call before it had the same cause and no call
    /// was answered in between.
    pub(crate) fn fail(&mut self, number: u64, error: &CallError<Status>) {
        let CallError::Status(status) = error else {
            return;
        };
        if self.last_cause.replace(status.cause()) != Some(status.cause()) {
            parigot_guest::info!(self.cx, "call {number} failed: {error}");
        }
    }

    /// Counts a refused call.
    pub(crate) fn refused(&mut self, took: Duration) {
        self.refused[0] += 1;
        self.refused[1] += u64::from(took <= QUICK);
    }

    pub(crate) fn end(&mut self, number: u64, class: Class) {
        self.last_end = self.cx.now();
        self.ends.push((class, number));
        match self.down_since {
            None if class != Class::Ok => self.down_since = Some(self.cx.now()),
            Some(since) if class == Class::Ok => {
                self.slowest_recovery = self.slowest_recovery.max(self.cx.now() - since);
                self.down_since = None;
                self.last_cause = None;
            }
            _ => {}
        }
        if self.ends.len() >= LINE_ENDS {
            self.write();
        }
    }

    /// Logs that all calls were made. Calls that have not ended by now count as silent.
    pub(crate) fn close(&mut self, sent: u64) {
        self.write();
        let took_ms = (self.last_end - self.begun).as_millis();
        let [refused, quick] = self.refused;
        parigot_guest::info!(
            self.cx,
            "the calls took {took_ms} ms; quick refusals: {quick} of {refused}"
        );
        let recovery_ms = self.slowest_recovery.as_millis();
        parigot_guest::info!(
            self.cx,
            "load: sent {}: {sent}, slowest recovery {recovery_ms} ms",
            self.caller
        );
    }

    /// Logs the ended calls: `load: ended 0: ok 0-99,101-101 unknown 100-100`.
    fn write(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        self.ends.sort_unstable();
        let mut line = format!("load: ended {}:", self.caller);
        let mut class = None;
        for run in self.ends.chunk_by(|a, b| a.0 == b.0 && a.1 + 1 == b.1) {
            let (of, first) = run[0];
            let (_, end) = run[run.len() - 1];
            match class.replace(of) {
                Some(same) if same == of => line.push(','),
                _ => write!(line, " {} ", of.word()).expect("writing to a string never fails"),
            }
            write!(line, "{first}-{end}").expect("writing to a string never fails");
        }
        parigot_guest::info!(self.cx, "{line}");
        self.ends.clear();
    }
}
