//! Watchdog of the start: reports slow guests, and fails a start beyond its deadline.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::ThreadError;
use crate::guest::stack::spawn;
use crate::kernel::lifecycle::Unready;
use crate::kernel::scheduler::Kernel;
use crate::kernel::timer::Timers;
use crate::log::events::{self, LackedExporter, UnreadyGuest};

/// Time after which a start is reported as slow.
pub(crate) const LONG: Duration = Duration::from_secs(1);

/// Thread that watches a start, on the host's clock.
pub(crate) struct Startup {
    timers: Arc<Timers<Alarm>>,
    thread: JoinHandle<()>,
}

/// Event during a start.
#[derive(Clone, Copy)]
pub(crate) enum Alarm {
    /// The start is slow: report the guests that are not ready.
    Report,
    /// The start has reached its deadline: report as well, and end the deployment.
    GiveUp,
}

impl Startup {
    /// Watches a start that begins now.
    ///
    /// # Errors
    ///
    /// If the system does not start the thread.
    pub(crate) fn watch(kernel: &Arc<Kernel>, deadline: Duration) -> Result<Self, ThreadError> {
        let timers = alarms(kernel, deadline);
        let own_timers = Arc::clone(&timers);
        let kernel = Arc::clone(kernel);
        let thread = spawn("parigot start", move || {
            own_timers.run(|_, alarm| {
                if is_over(&kernel, deadline, alarm) {
                    own_timers.close()
                }
            })
        })?;
        Ok(Startup { timers, thread })
    }

    /// Stops the watchdog.
    pub(crate) fn close(self) {
        self.timers.close();
        self.thread
            .join()
            .expect("the start watchdog must not panic");
    }
}

/// Sets the alarms of a start that begins now.
pub(crate) fn alarms(kernel: &Kernel, deadline: Duration) -> Arc<Timers<Alarm>> {
    let timers = Timers::new(Arc::clone(&kernel.clock));
    let now_ns = kernel.clock.monotonic_ns();
    for (after, alarm) in [(LONG, Alarm::Report), (deadline, Alarm::GiveUp)] {
        timers.set(
            alarm as u64,
            None,
            now_ns.saturating_add(after.as_nanos() as u64),
            alarm,
        );
    }
    timers
}

/// Handles an alarm. Returns `true` if there is nothing left to watch.
pub(crate) fn is_over(kernel: &Kernel, deadline: Duration, alarm: Alarm) -> bool {
    let after = match alarm {
        Alarm::Report => LONG,
        Alarm::GiveUp => deadline,
    };
    let unready = kernel.lifecycle.unready();
    // Logged before `give_up_start`, because the end of the deployment adds log lines of its own.
    for waiting in &unready {
        // A proxy without an exporter is reported with its requirers, so it needs no line.
        let is_required = unready
            .iter()
            .any(|other| other.lacks.contains(&waiting.guest));
        if !kernel.instances[waiting.guest].is_proxy || !is_required {
            events::unready(&unready_guest(kernel, waiting), after);
        }
    }
    let gives_up = matches!(alarm, Alarm::GiveUp);
    if gives_up && kernel.lifecycle.give_up_start() {
        tracing::error!("the start has taken longer than {deadline:?}, its `startup_deadline`");
    }
    gives_up || unready.is_empty()
}

/// Returns the guest and the exporters that it waits for, as the log names them.
fn unready_guest<'k>(kernel: &'k Kernel, waiting: &Unready) -> UnreadyGuest<'k> {
    let instance = &kernel.instances[waiting.guest];
    let exporter = |index: &usize| {
        let exporter = &kernel.instances[*index];
        LackedExporter {
            name: &exporter.name,
            is_proxy: exporter.is_proxy,
        }
    };
    UnreadyGuest {
        log: instance.guest_log(),
        is_proxy: instance.is_proxy,
        phase: waiting.phase,
        lacks: waiting.lacks.iter().map(exporter).collect(),
    }
}
