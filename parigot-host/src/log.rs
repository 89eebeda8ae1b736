//! One log: what guests say and what the host says of them, as events of `tracing`.
//!
//! Each event has the fields `service` (the guest's name in the deployment), `instance` (the short form of its id) and, where it
//! is about a call, `call` (its id). Lines of guests have the target `guest`.

use std::time::Duration;

use parigot_abi::Frame;
use parigot_abi::frame::Level;
use parigot_abi::id::{CallId, InstanceId};
use tracing::field::display;

use crate::instance::Instance;
use crate::life::{Phase, Unready};
use crate::route::Ending;

/// Makes `run` log on any thread to whom the calling one logs.
pub(crate) fn as_here(run: impl FnOnce()) -> impl FnOnce() {
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    move || tracing::dispatcher::with_default(&dispatch, run)
}

/// A line that a guest sent.
pub(crate) fn guest_line(from: &Instance, frame: &Frame<'_>) {
    let level = Level::from_number(frame.header.status).unwrap_or(Level::Info);
    let text = String::from_utf8_lossy(frame.payload);
    line(&from.name, from.id, level, from.inbound_id(frame.header.number), &text);
}

/// A line of a guest, whichever way it came.
pub(crate) fn line(service: &str, instance: InstanceId, level: Level, call: Option<CallId>, text: &str) {
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(
                target: "guest",
                tracing::Level::$level,
                service = %service,
                instance = %instance.short(),
                call = call.map(display),
                "{text}"
            )
        };
    }
    match level {
        Level::Error => event!(ERROR),
        Level::Warn => event!(WARN),
        Level::Info => event!(INFO),
        Level::Debug => event!(DEBUG),
        Level::Trace => event!(TRACE),
    }
}

/// An instance has ended.
pub(crate) fn ending(instance: &Instance, ending: &Ending, culprit: Option<CallId>) {
    let (service, id, call) = (&instance.name, instance.id.short(), culprit.map(display));
    match ending {
        Ending::Fault(fault) => tracing::error!(%service, instance = %id, call, "{fault}"),
        Ending::Exit { status: 0, reason } if reason.is_empty() => {
            tracing::debug!(%service, instance = %id, "left with status 0");
        }
        Ending::Exit { status, reason } if reason.is_empty() => {
            tracing::warn!(%service, instance = %id, "left with status {status}");
        }
        Ending::Exit { status: 0, reason } => tracing::info!(%service, instance = %id, "left: {reason}"),
        Ending::Exit { status, reason } => {
            tracing::error!(%service, instance = %id, "left with status {status}: {reason}");
        }
    }
}

/// A guest can never be launched, because one that it requires is gone.
pub(crate) fn stranded(waiting: &Instance, lost: &Instance) {
    tracing::error!(
        service = %waiting.name,
        instance = %waiting.id.short(),
        "cannot start: it requires a service of {}, which ended before it was ready",
        lost.name
    );
}

/// A guest is not ready, and the start has taken that long.
pub(crate) fn unready(instances: &[Instance], Unready { guest, phase, lacks }: &Unready, after: Duration) {
    let instance = &instances[*guest];
    let lacks: Vec<_> = lacks.iter().map(|exporter| &*instances[*exporter].name).collect();
    let why = match phase {
        _ if !lacks.is_empty() => format!("it waits for {}", lacks.join(", ")),
        Phase::Launched => "it was launched, and has not said that it is ready".to_owned(),
        _ => "it has not asked to be launched".to_owned(),
    };
    tracing::warn!(
        service = %instance.name,
        instance = %instance.id.short(),
        "not ready after {after:?}: {why}"
    );
}
