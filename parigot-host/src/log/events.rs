//! Events of guests in the log: their own lines, and the host's reports about them.
//!
//! | field | value |
//! |---|---|
//! | `service` | name of the guest in the deployment |
//! | `instance` | short form of the instance's id |
//! | `call` | id of the call, if the event belongs to a call |
//! | `trace` | trace id of the call, if its metadata has a trace context |
//! | `method` | method of the call during which a guest ended |
//! | `cpu_us` | CPU time in µs of a turn over the budget |
//! | `stack` | backtrace of a failed guest; in Go the stacks of the goroutines |
//! | `callers` | callers of the call during which a guest ended, the nearest first |
//! | `attributes` | attributes of a guest's line, a JSON object |
//!
//! Lines of guests have the target `guest`. Other events have no attributes.

use std::fmt::Display;
use std::time::Duration;

use parigot_abi::Frame;
use parigot_abi::frame::Level;
use tracing::field::display;

use crate::error::{Ending, GuestFault};
use crate::kernel::lifecycle::Phase;
use crate::log::guest_log::{GuestLine, GuestLog, LoggedCall};
use crate::log::rate_limit::truncate;

/// Fields of the log events besides `message` and `attributes`. Only the host sets them, so no
/// attribute of a guest's line may pass for one of them.
pub const LOG_FIELDS: [&str; 8] = [
    "service", "instance", "call", "trace", "method", "cpu_us", "stack", "callers",
];

/// Logs the log frame of a guest, sent during `call`. Returns the same as [`GuestLog::log_line`].
pub(crate) fn guest_line(
    from: &GuestLog<'_>,
    now_ns: u64,
    frame: &Frame<'_>,
    call: Option<LoggedCall>,
) -> Option<u64> {
    let line = GuestLine {
        level: Level::from_number(frame.header.status).unwrap_or(Level::Info),
        text: &String::from_utf8_lossy(frame.payload),
        fields: frame.metadata,
    };
    from.log_line(now_ns, &line, call)
}

/// Circumstances of an instance's end.
#[derive(Default)]
pub(crate) struct EndContext {
    /// Set if the instance should have continued: it is a service, and no stop was requested.
    pub(crate) is_unexpected: bool,
    /// Call that the instance was serving.
    pub(crate) call: Option<LoggedCall>,
    /// Method of `call`.
    pub(crate) method: Option<String>,
    /// Callers of `call`, one line for each; or empty.
    pub(crate) callers: String,
}

/// Logs the end of an instance.
pub(crate) fn ending(guest: &GuestLog<'_>, ending: &Ending, context: EndContext) {
    guest.finish();
    let EndContext { call, method, .. } = context;
    let trace = call.and_then(|call| call.trace).map(display);
    let call = call.map(|call| display(call.id));
    let method = method.map(display);
    let callers = (!context.callers.is_empty()).then_some(display(context.callers));
    macro_rules! event {
        ($level:ident, $($event:tt)+) => {
            tracing::event!(
                tracing::Level::$level,
                service = %guest.service,
                instance = %guest.instance.short(),
                call,
                trace,
                $($event)+
            )
        };
    }
    match ending {
        // No field `method`: the text names the method.
        Ending::Fault(fault @ GuestFault::OverBudget { reason, .. }) => {
            let stack = stack_of(fault);
            event!(
                ERROR,
                cpu_us = reason.spent.as_micros() as u64,
                stack = stack.map(display),
                callers,
                "{fault}"
            );
        }
        // The permanent failure is logged separately, with its reason.
        Ending::Fault(GuestFault::Lost { .. }) => {}
        Ending::Fault(fault) => {
            let stack = stack_of(fault);
            event!(
                ERROR,
                method,
                stack = stack.map(display),
                callers,
                "{fault}"
            );
        }
        Ending::Exit { status: 0, reason } if reason.is_empty() && context.is_unexpected => {
            event!(INFO, method, "exited with status 0")
        }
        Ending::Exit { status: 0, reason } if reason.is_empty() => {
            event!(DEBUG, "exited with status 0")
        }
        Ending::Exit { status, reason } if reason.is_empty() => {
            event!(WARN, method, "exited with status {status}")
        }
        Ending::Exit { status: 0, reason } => event!(INFO, method, "exited: {reason}"),
        Ending::Exit { status, reason } => {
            event!(ERROR, method, "exited with status {status}: {reason}")
        }
    }
}

/// Logs the completion of the start of a deployment without programs.
pub(crate) fn complete_start() {
    tracing::info!("ready: the guests run until the deployment is stopped");
}

/// Logs a guest with a `main` function that has waited for nothing for a while.
pub(crate) fn stuck(guest: &GuestLog<'_>) {
    tracing::warn!(
        service = %guest.service,
        instance = %guest.instance.short(),
        "main waits, but no call and no timer is pending: only a stop of the deployment can end \
         the wait"
    );
}

/// Logs a module that contains a listener of Go's package net.
pub(crate) fn listens(guest: &str) {
    tracing::warn!(service = guest, "{LISTENS}");
}

/// Logs that a provider has stopped serving calls before its guests have left.
pub(crate) fn provider_ended(provider: &str) {
    tracing::error!(
        service = provider,
        "the provider has ended before its guests: further calls are refused"
    );
}

/// Effect of a listener in a guest, after the guest's name.
pub(crate) const LISTENS: &str = "contains a network listener (package net), which accepts no \
     connections: a guest has no network; export a service instead";

/// Logs a fault in an init turn. Without a stack, the error of the start says it all.
pub(crate) fn failed_init(guest: &GuestLog<'_>, fault: &GuestFault) {
    if let Some(stack) = stack_of(fault) {
        tracing::error!(
            service = %guest.service,
            instance = %guest.instance.short(),
            %stack,
            "{fault}"
        );
    }
}

/// Returns the lines of the guest's stack, which may take long: see `Stack::is_slow`.
fn stack_of(fault: &GuestFault) -> Option<String> {
    let text = fault.stack().text()?;
    Some(truncate(&text).into_owned())
}

/// Logs a restart, `after` the service had ended.
pub(crate) fn restarted(guest: &GuestLog<'_>, after: Duration, nth: &dyn Display) {
    tracing::info!(
        service = %guest.service,
        instance = %guest.instance.short(),
        "restarted after {} ms: {nth}",
        after.as_millis()
    );
}

/// Logs the permanent failure of a service.
pub(crate) fn failed_permanently(guest: &GuestLog<'_>, why: &str) {
    tracing::error!(
        service = %guest.service,
        instance = %guest.instance.short(),
        "failed permanently: {why}"
    );
}

/// Logs a guest that still runs after the `limit` of a shutdown, with its unanswered calls.
/// `had_time` tells whether the guest was asked to stop before the limit.
pub(crate) fn killed_at_shutdown(
    guest: &GuestLog<'_>,
    unanswered: usize,
    limit: Duration,
    had_time: bool,
) {
    let what = match had_time {
        true => "did not exit within",
        false => "had no time to exit: the guests before it took the whole of",
    };
    let calls = match unanswered {
        0 => String::new(),
        1 => "; 1 call is unanswered".to_owned(),
        calls => format!("; {calls} calls are unanswered"),
    };
    tracing::warn!(
        service = %guest.service,
        instance = %guest.instance.short(),
        "{what} the `shutdown_deadline` of {limit:?}{calls}"
    );
}

/// Logs a guest that can never be launched, because the guest `lost`, which it requires, has ended.
pub(crate) fn cannot_start(waiting: &GuestLog<'_>, lost: &str) {
    tracing::error!(
        service = %waiting.service,
        instance = %waiting.instance.short(),
        "cannot start: it requires a service of {lost}, which has ended"
    );
}

/// Guest that is not ready during the start.
pub(crate) struct UnreadyGuest<'a> {
    pub(crate) log: GuestLog<'a>,
    pub(crate) is_proxy: bool,
    pub(crate) phase: Phase,
    /// Exporters that the guest requires and that are not ready.
    pub(crate) lacks: Vec<LackedExporter<'a>>,
}

/// Exporter that a guest waits for.
pub(crate) struct LackedExporter<'a> {
    pub(crate) name: &'a str,
    pub(crate) is_proxy: bool,
}

/// Logs a guest that is not ready `after` the start began.
pub(crate) fn unready(guest: &UnreadyGuest<'_>, after: Duration) {
    let UnreadyGuest {
        log,
        is_proxy,
        phase,
        lacks,
    } = guest;
    let why = match phase {
        // The exporters of the service are logged themselves.
        _ if !lacks.is_empty() && *is_proxy => return,
        _ if !lacks.is_empty() => format!("waiting for {}", names(lacks)),
        Phase::Launched if *is_proxy => "no process offers the service yet".to_owned(),
        Phase::Launched => "launched, but has not reported that it is ready".to_owned(),
        _ => "has not requested its launch".to_owned(),
    };
    tracing::warn!(
        service = %log.service,
        instance = %log.instance.short(),
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
        "not ready after {after:?}: waiting for {service}, {UNOFFERED}"
    );
}

/// Reasons why a remote service is not available: no process is running, processes have another
/// `app` in `[network]`, or they offer an incompatible schema, which is logged separately.
const UNOFFERED: &str = "which no process of the same `app` offers with a compatible schema yet";

/// Formats the exporters that a guest waits for: local guests first, then remote services.
fn names(lacks: &[LackedExporter<'_>]) -> String {
    let name_if = |is_proxy| {
        lacks
            .iter()
            .filter(move |exporter| exporter.is_proxy == is_proxy)
            .map(|exporter| exporter.name)
    };
    let elsewhere: Vec<_> = name_if(true).collect();
    let mut here: Vec<_> = name_if(false).collect();
    // Instances of one guest have the same name.
    here.dedup();
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
