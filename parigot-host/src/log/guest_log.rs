//! Lines of one guest in the log, within its rate limit.

use std::fmt::Display;

use parigot_abi::frame::Level;
use parigot_abi::id::{CallId, InstanceId};

use crate::log::rate_limit::{LogRate, RateDecision};

/// A guest as the log knows it.
pub(crate) struct GuestLog<'a> {
    pub(crate) service: &'a str,
    pub(crate) instance: InstanceId,
    pub(crate) rate: &'a LogRate,
}

impl GuestLog<'_> {
    /// A line of the guest, whichever way it came, unless it logs too much. Where it has just begun to, returns when what
    /// is left out must be told: see [`GuestLog::settle`].
    #[must_use = "what is left out is told"]
    pub(crate) fn say(
        &self,
        now_ns: u64,
        level: Level,
        call: Option<CallId>,
        text: &str,
    ) -> Option<u64> {
        let GuestLog {
            service,
            instance,
            rate,
        } = self;
        macro_rules! event {
            ($level:ident, $text:expr) => {
                tracing::event!(
                    target: "guest",
                    tracing::Level::$level,
                    service = %service,
                    instance = %instance.short(),
                    call = call.map(display),
                    "{}", $text
                )
            };
        }
        macro_rules! judged {
            ($level:ident) => {{
                // What nobody listens to takes nothing of the allowance.
                if !tracing::enabled!(target: "guest", tracing::Level::$level) {
                    return None;
                }
                match rate.judge(now_ns, text) {
                    RateDecision::Log { line, left_out } => {
                        left_out.inspect(|left_out| self.tell(left_out));
                        event!($level, line);
                        None
                    }
                    RateDecision::Warn { too_much, until_ns } => {
                        self.tell(&too_much);
                        Some(until_ns)
                    }
                    RateDecision::LeaveOut => None,
                }
            }};
        }
        match level {
            Level::Error => judged!(ERROR),
            Level::Warn => judged!(WARN),
            Level::Info => judged!(INFO),
            Level::Debug => judged!(DEBUG),
            Level::Trace => judged!(TRACE),
        }
    }

    /// Tells what was left out, if that is over.
    pub(crate) fn settle(&self, now_ns: u64) {
        self.rate
            .settle(now_ns)
            .inspect(|left_out| self.tell(left_out));
    }

    /// Tells what was left out, for nothing comes any more.
    pub(crate) fn finish(&self) {
        self.rate.finish().inspect(|left_out| self.tell(left_out));
    }

    /// Something about what the guest logs.
    fn tell(&self, what: &dyn Display) {
        tracing::warn!(service = %self.service, instance = %self.instance.short(), "{what}");
    }
}
