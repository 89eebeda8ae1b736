//! Ctrl-C, and what else asks a process to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parigot_host::Settings;

/// The exit status of a command that was stopped.
pub(crate) const INTERRUPTED: u8 = 130;

/// Ctrl-C, and what else asks a process to end (SIGTERM, SIGHUP): the first stops in order what runs, the second leaves at once. So does the
/// first while a guest is being compiled or other processes are waited for, which may take long and cannot be stopped: nothing runs yet.
#[derive(Default)]
pub(crate) struct Interrupt {
    came: AtomicBool,
    compiles: AtomicBool,
    waits: AtomicBool,
    stop: OnceLock<Box<dyn Fn(Wish) + Send + Sync>>,
}

/// What someone wants who interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The end, in order.
    Stop,
    /// The end, now.
    LeaveAtOnce,
}

impl Interrupt {
    /// Listens to signals from now on.
    pub(crate) fn listen() -> Arc<Self> {
        let interrupt = Arc::new(Interrupt::default());
        let hears = Arc::clone(&interrupt);
        if let Err(error) = ctrlc::set_handler(move || hears.hear()) {
            tracing::warn!("Ctrl-C will not stop the guests in order: {error}");
        }
        interrupt
    }

    /// The same settings, by which it learns when a start does what cannot be stopped.
    pub(crate) fn follow_start(self: &Arc<Self>, settings: Settings) -> Settings {
        let (interrupt, tell) = (Arc::clone(self), settings.on_compiling.clone());
        let on_compiling = move |guests: &[&str]| {
            interrupt
                .compiles
                .store(!guests.is_empty(), Ordering::SeqCst);
            if interrupt.came() {
                leave_at_once();
            }
            tell.iter().for_each(|tell| tell(guests));
        };
        let interrupt = Arc::clone(self);
        let on_waiting = move |waits| {
            interrupt.waits.store(waits, Ordering::SeqCst);
            if interrupt.came() {
                leave_at_once();
            }
        };
        Settings {
            on_compiling: Some(Arc::new(on_compiling)),
            on_waiting: Some(Arc::new(on_waiting)),
            ..settings
        }
    }

    /// Hands over what is to be done, now that something runs. A Ctrl-C may have come before.
    pub(crate) fn stop_with(&self, stop: impl Fn(Wish) + Send + Sync + 'static) {
        let stop = self.stop.get_or_init(|| Box::new(stop));
        if self.came() {
            stop(Wish::Stop);
        }
    }

    /// Stops in order what runs, as the first Ctrl-C does.
    pub(crate) fn stop(&self) {
        if !self.came_before() {
            self.wish(Wish::Stop);
        }
    }

    /// Whether somebody wants the end.
    pub(crate) fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }

    fn hear(&self) {
        if self.came_before() {
            self.wish(Wish::LeaveAtOnce);
        } else {
            tracing::info!("stopping the guests; another Ctrl-C leaves at once");
            self.wish(Wish::Stop);
        }
    }

    /// Writes down that somebody wants the end.
    fn came_before(&self) -> bool {
        let came_before = self.came.swap(true, Ordering::SeqCst);
        if self.compiles.load(Ordering::SeqCst) || self.waits.load(Ordering::SeqCst) {
            leave_at_once();
        }
        came_before
    }

    fn wish(&self, wish: Wish) {
        match self.stop.get() {
            Some(stop) => stop(wish),
            None if wish == Wish::LeaveAtOnce => leave_at_once(),
            None => {} // it is told as soon as there is something to stop
        }
    }
}

/// Ends this process as one that was stopped.
pub(crate) fn leave_at_once() -> ! {
    std::process::exit(INTERRUPTED.into())
}
