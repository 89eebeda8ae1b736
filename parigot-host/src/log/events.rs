//! Events of guests in the log: their own lines, and the host's reports about them.
//!
//! | field | value |
//! |---|---|
//! | `service` | name of the guest in the deployment |
//! | `instance` | short form of the instance's id |
//! | `call` | id of the call, if the event belongs to a call |
//! | `method` | method of the call during which a guest ended |
//!
//! Lines of guests have the target `guest`.

use std::fmt::Display;
use std::time::Duration;

use parigot_abi::Frame;
use parigot_abi::frame::Level;
use parigot_abi::id::CallId;
use tracing::field::display;

use crate::error::{Ending, GuestFault};
use crate::kernel::instance::Instance;
use crate::kernel::lifecycle::{Phase, Unready};

/// Logs the log frame of a guest, sent during `call`. Returns the same as [`GuestLog::say`].
pub(crate) fn guest_line(
    from: &Instance,
    now_ns: u64,
    frame: &Frame<'_>,
    call: Option<CallId>,
) -> Option<u64> {
    let level = Level::from_number(frame.header.status).unwrap_or(Level::Info);
    let text = String::from_utf8_lossy(frame.payload);
    from.guest_log().say(now_ns, level, call, &text)
}

/// Circumstances of an instance's end.
#[derive(Default)]
pub(crate) struct EndContext {
    /// Set if the instance should have continued: it is a service, and no stop was requested.
    pub(crate) is_news: bool,
    /// Call that the instance was serving.
    pub(crate) call: Option<CallId>,
    /// Method of `call`.
    pub(crate) method: Option<String>,
}

/// Logs the end of an instance.
pub(crate) fn ending(
    instance: &Instance,
    ending: &Ending,
    EndContext {
        is_news,
        call,
        method,
    }: EndContext,
) {
    instance.guest_log().finish();
    let (call, method) = (call.map(display), method.map(display));
    macro_rules! event {
        ($level:ident, $($event:tt)+) => {
            tracing::event!(
                tracing::Level::$level,
                service = %instance.name,
                instance = %instance.id().short(),
                call,
                $($event)+
            )
        };
    }
    match ending {
        // No field `method`: the text names the method.
        Ending::Fault(fault @ GuestFault::OverBudget(over_budget)) => {
            event!(
                ERROR,
                cpu_us = over_budget.spent.as_micros() as u64,
                "{fault}"
            );
        }
        // The permanent failure is logged separately, with its reason.
        Ending::Fault(GuestFault::Lost { .. }) => {}
        Ending::Fault(fault) => event!(ERROR, method, "{fault}"),
        Ending::Exit { status: 0, reason } if reason.is_empty() && is_news => {
            event!(INFO, method, "exited with status 0")
        }
        Ending::Exit { status: 0, reason } if reason.is_empty() => {
            event!(DEBUG, "exited with status 0")
        }
        Ending::Exit { status, reason } if reason.is_empty() => {
            event!(WARN, method, "exited with status {status}")
        }
        Ending::Exit { status: 0, reason } => event!(INFO, method, "left: {reason}"),
        Ending::Exit { status, reason } => {
            event!(ERROR, method, "exited with status {status}: {reason}")
        }
    }
}

/// A service was made anew, so long after it had ended.
pub(crate) fn restarted(instance: &Instance, after: Duration, nth: &dyn Display) {
    tracing::info!(
        service = %instance.name,
        instance = %instance.id().short(),
        "restarted after {} ms: {nth}",
        after.as_millis()
    );
}

/// A service is not restarted any more.
pub(crate) fn failed_permanently(instance: &Instance, why: &str) {
    tracing::error!(service = %instance.name, instance = %instance.id().short(), "failed permanently: {why}");
}

/// A guest has not left in the time that all of them had for it.
pub(crate) fn killed_at_shutdown(instance: &Instance, limit: Duration) {
    let calls = match instance.calls() {
        0 => String::new(),
        1 => ", and has a call that it has not answered".to_owned(),
        calls => format!(", and has {calls} calls that it has not answered"),
    };
    tracing::warn!(
        service = %instance.name,
        instance = %instance.id().short(),
        "did not leave within the `shutdown_deadline`, {limit:?}{calls}"
    );
}

/// A guest can never be launched, because one that it requires is gone.
pub(crate) fn cannot_start(waiting: &Instance, lost: &Instance) {
    tracing::error!(
        service = %waiting.name,
        instance = %waiting.id().short(),
        "cannot start: it requires a service of {}, which has ended",
        lost.name
    );
}

/// A guest is not ready, and the start has taken that long.
pub(crate) fn unready(
    instances: &[Instance],
    Unready {
        guest,
        phase,
        lacks,
    }: &Unready,
    after: Duration,
) {
    let instance = &instances[*guest];
    let lacks: Vec<_> = lacks.iter().map(|exporter| &instances[*exporter]).collect();
    let why = match phase {
        // That its service is not ready is told of those that export it.
        _ if !lacks.is_empty() && instance.is_proxy => return,
        _ if !lacks.is_empty() => format!("it waits for {}", names(&lacks)),
        Phase::Launched if instance.is_proxy => "no process offers it yet".to_owned(),
        Phase::Launched => "it was launched, and has not said that it is ready".to_owned(),
        _ => "it has not asked to be launched".to_owned(),
    };
    tracing::warn!(
        service = %instance.name,
        instance = %instance.id().short(),
        "not ready after {after:?}: {why}"
    );
}

/// Logs a guest whose start has waited `after` for a process that offers a service.
///
/// The guest requires the service by name alone, so it cannot be bound before.
#[cfg(feature = "nats")]
pub(crate) fn unoffered(guest: &str, service: &str, after: Duration) {
    tracing::warn!(
        service = guest,
        "not ready after {after:?}: it waits for {service}, {UNOFFERED}"
    );
}

/// Reasons why a remote service is not available: no process is running, processes have another
/// `app` in `[network]`, or they offer an incompatible schema, which is logged separately.
const UNOFFERED: &str = "which no process of the same `app` offers yet in a form that fits";

/// Those whom a guest waits for.
fn names(lacks: &[&Instance]) -> String {
    let (elsewhere, here): (Vec<&Instance>, Vec<&Instance>) =
        lacks.iter().partition(|exporter| exporter.is_proxy);
    let mut here: Vec<_> = here.iter().map(|exporter| &*exporter.name).collect();
    here.dedup(); // instances of one guest
    let elsewhere: Vec<_> = elsewhere.iter().map(|service| &*service.name).collect();
    match (&here[..], &elsewhere[..]) {
        (_, []) => here.join(", "),
        ([], _) => format!("{}, {UNOFFERED}", elsewhere.join(", ")),
        _ => format!(
            "{}, and for {}, {UNOFFERED}",
            here.join(", "),
            elsewhere.join(", ")
        ),
    }
}
