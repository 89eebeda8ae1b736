//! How long a start may take, and who waits for whom when it takes long.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::guest::stack::spawn;
use crate::kernel::lifecycle::Unready;
use crate::kernel::scheduler::Kernel;
use crate::kernel::timer::Timers;
use crate::log::events::{self, LackedExporter, UnreadyGuest};

/// When people begin to wonder.
pub(crate) const LONG: Duration = Duration::from_secs(1);

/// A thread that watches a start. Its clock is the host's.
pub(crate) struct Startup {
    timers: Arc<Timers<Alarm>>,
    thread: JoinHandle<()>,
}

/// What is to be done during a start.
#[derive(Clone, Copy)]
pub(crate) enum Alarm {
    /// Say who waits for whom.
    Tell,
    /// Say so, and end the deployment.
    GiveUp,
}

impl Startup {
    /// Watches a start that has begun and may take as long as `deadline`.
    pub(crate) fn watch(kernel: &Arc<Kernel>, deadline: Duration) -> Self {
        let timers = alarms(kernel, deadline);
        let thread = spawn("parigot start", {
            let (timers, kernel) = (Arc::clone(&timers), Arc::clone(kernel));
            move || {
                timers.run(|_, alarm| {
                    if is_over(&kernel, deadline, alarm) {
                        timers.close()
                    }
                })
            }
        });
        Startup { timers, thread }
    }

    /// Watches no longer.
    pub(crate) fn close(self) {
        self.timers.close();
        self.thread
            .join()
            .expect("the thread that watches a start does not panic");
    }
}

/// The alarms of a start that begins now and may take as long as `deadline`.
pub(crate) fn alarms(kernel: &Kernel, deadline: Duration) -> Arc<Timers<Alarm>> {
    let timers = Timers::new(Arc::clone(&kernel.clock));
    let now_ns = kernel.clock.monotonic_ns();
    for (after, alarm) in [(LONG, Alarm::Tell), (deadline, Alarm::GiveUp)] {
        timers.set(
            alarm as u64,
            None,
            now_ns.saturating_add(after.as_nanos() as u64),
            alarm,
        );
    }
    timers
}

/// Does what an alarm is there for. Returns whether there is nothing left to watch.
pub(crate) fn is_over(kernel: &Kernel, deadline: Duration, alarm: Alarm) -> bool {
    let after = match alarm {
        Alarm::Tell => LONG,
        Alarm::GiveUp => deadline,
    };
    let unready = kernel.lifecycle.unready();
    // Before the deployment ends, for its end adds lines of its own.
    let is_told = |guest: usize| unready.iter().any(|other| other.lacks.contains(&guest));
    for waiting in &unready {
        // That nobody offers a service is told of those who wait for it.
        if !kernel.instances[waiting.guest].is_proxy || !is_told(waiting.guest) {
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
