//! Log lines of one guest, within the guest's rate limit.

use std::fmt::Display;

use parigot_abi::frame::Level;
use parigot_abi::id::{CallId, InstanceId};

use crate::log::attributes::to_json;
use crate::log::rate_limit::{LogRate, RateDecision};
use crate::log::trace_id::TraceId;

/// Line that a guest writes to the log: in a log frame, or to stdout or stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuestLine<'a> {
    pub(crate) level: Level,
    pub(crate) text: &'a str,
    /// Metadata of a log frame; empty for a line of stdout or stderr.
    pub(crate) fields: &'a [u8],
}

/// Call to which a line belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoggedCall {
    pub(crate) id: CallId,
    pub(crate) trace: Option<TraceId>,
}

/// Identity of a guest in the log, with its rate limit.
pub(crate) struct GuestLog<'a> {
    pub(crate) service: &'a str,
    pub(crate) instance: InstanceId,
    pub(crate) rate: &'a LogRate,
}

impl GuestLog<'_> {
    /// Logs a line of the guest, or drops it beyond the limit.
    ///
    /// Returns a time on the host's clock if this is the first dropped line of a period. The caller
    /// must call [`GuestLog::report_dropped`] then, so that the number of dropped lines is logged.
    #[must_use = "the number of dropped lines must be logged later"]
    pub(crate) fn log_line(
        &self,
        now_ns: u64,
        line: &GuestLine<'_>,
        call: Option<LoggedCall>,
    ) -> Option<u64> {
        let GuestLog {
            service,
            instance,
            rate,
        } = self;
        // Macros, because `tracing` needs the level of an event as a constant.
        macro_rules! event {
            ($level:ident, $text:expr, $attributes:expr) => {
                tracing::event!(
                    target: "guest",
                    tracing::Level::$level,
                    service = %service,
                    instance = %instance.short(),
                    call = call.map(|call| display(call.id)),
                    trace = call.and_then(|call| call.trace).map(display),
                    attributes = $attributes.map(display),
                    "{}", $text
                )
            };
        }
        macro_rules! limited {
            ($level:ident) => {{
                // Lines that no subscriber wants must not use up the limit.
                if !tracing::enabled!(target: "guest", tracing::Level::$level) {
                    return None;
                }
                let attributes = to_json(line.fields);
                let attribute_bytes = attributes.as_ref().map_or(0, String::len);
                match rate.decide(now_ns, line.text, attribute_bytes) {
                    RateDecision::Log {
                        line: text,
                        dropped,
                    } => {
                        // Before the line, so that the log shows the gap where it is.
                        dropped.inspect(|dropped| self.warn(dropped));
                        event!($level, text, attributes);
                        None
                    }
                    RateDecision::Warn { exceeded, until_ns } => {
                        self.warn(&exceeded);
                        Some(until_ns)
                    }
                    RateDecision::Drop => None,
                }
            }};
        }
        match line.level {
            Level::Error => limited!(ERROR),
            Level::Warn => limited!(WARN),
            Level::Info => limited!(INFO),
            Level::Debug => limited!(DEBUG),
            Level::Trace => limited!(TRACE),
        }
    }

    /// Logs the number of dropped lines if their period is over.
    pub(crate) fn report_dropped(&self, now_ns: u64) {
        self.rate
            .take_dropped(now_ns)
            .inspect(|dropped| self.warn(dropped));
    }

    /// Logs the number of dropped lines when the guest has ended.
    pub(crate) fn finish(&self) {
        self.rate.finish().inspect(|dropped| self.warn(dropped));
    }

    /// Logs a warning of the host about the guest's log.
    fn warn(&self, warning: &dyn Display) {
        tracing::warn!(
            service = %self.service,
            instance = %self.instance.short(),
            "{warning}"
        );
    }
}
