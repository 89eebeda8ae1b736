//! Ctrl-C and the other signals that ask the process to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parigot_host::Settings;

use crate::exit_status::INTERRUPTED;

/// State of Ctrl-C, SIGTERM and SIGHUP.
///
/// The first signal stops the guests in order, the second exits immediately. The first one exits
/// immediately too while guests are being compiled or other processes are awaited: both can take
/// long and cannot be interrupted, and no guest runs yet.
///
/// | field | written by | read by |
/// |---|---|---|
/// | `came` | the signal thread, the stdin thread | all |
/// | `compiles`, `waits` | the starting thread, around the two phases | the signal thread |
/// | `stop` | the starting thread, once | the signal thread |
///
/// All flags are sequentially consistent: a signal that misses `compiles` must not be missed by the
/// starting thread, which reads `came` after writing its flag.
#[derive(Default)]
pub(crate) struct Interrupt {
    came: AtomicBool,
    compiles: AtomicBool,
    waits: AtomicBool,
    stop: OnceLock<Box<dyn Fn(ShutdownRequest) + Send + Sync>>,
}

/// Kind of shutdown that a signal requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShutdownRequest {
    /// Stop the guests in order.
    Stop,
    /// Exit immediately.
    Exit,
}

impl Interrupt {
    /// Installs the signal handler.
    pub(crate) fn listen() -> Arc<Self> {
        let interrupt = Arc::new(Interrupt::default());
        let handler = Arc::clone(&interrupt);
        if let Err(error) = ctrlc::set_handler(move || handler.on_signal()) {
            tracing::warn!("cannot handle signals, so Ctrl-C exits immediately: {error}");
        }
        interrupt
    }

    /// Returns the settings with callbacks that track the phases which cannot be interrupted.
    pub(crate) fn follow_start(self: &Arc<Self>, settings: Settings) -> Settings {
        let of_compiling = Arc::clone(self);
        let inner = settings.on_compiling.clone();
        let on_compiling = move |guests: &[&str]| {
            of_compiling
                .compiles
                .store(!guests.is_empty(), Ordering::SeqCst);
            if of_compiling.came() {
                exit_immediately();
            }
            if let Some(inner) = &inner {
                inner(guests);
            }
        };
        let of_waiting = Arc::clone(self);
        let on_waiting = move |waits| {
            of_waiting.waits.store(waits, Ordering::SeqCst);
            if of_waiting.came() {
                exit_immediately();
            }
        };
        Settings {
            on_compiling: Some(Arc::new(on_compiling)),
            on_waiting: Some(Arc::new(on_waiting)),
            ..settings
        }
    }

    /// Sets the function that carries out shutdown requests, now that guests run.
    ///
    /// A signal that came before is carried out at once.
    pub(crate) fn stop_with(&self, stop: impl Fn(ShutdownRequest) + Send + Sync + 'static) {
        let stop = self.stop.get_or_init(|| Box::new(stop));
        if self.came() {
            stop(ShutdownRequest::Stop);
        }
    }

    /// Stops the guests in order, as the first signal does.
    pub(crate) fn stop(&self) {
        if !self.mark() {
            self.request(ShutdownRequest::Stop);
        }
    }

    /// Returns whether a shutdown was requested.
    pub(crate) fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }

    fn on_signal(&self) {
        if self.mark() {
            self.request(ShutdownRequest::Exit);
        } else {
            tracing::info!("stopping the guests; another Ctrl-C exits immediately");
            self.request(ShutdownRequest::Stop);
        }
    }

    /// Records a request and returns whether there was one before.
    fn mark(&self) -> bool {
        let came_before = self.came.swap(true, Ordering::SeqCst);
        if self.compiles.load(Ordering::SeqCst) || self.waits.load(Ordering::SeqCst) {
            exit_immediately();
        }
        came_before
    }

    fn request(&self, request: ShutdownRequest) {
        match self.stop.get() {
            Some(stop) => stop(request),
            None if request == ShutdownRequest::Exit => exit_immediately(),
            // `stop_with` reads `came` as soon as there is something to stop.
            None => {}
        }
    }
}

/// Exits with the status of an interrupted command.
pub(crate) fn exit_immediately() -> ! {
    std::process::exit(INTERRUPTED.into())
}
