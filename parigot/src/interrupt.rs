//! Ctrl-C and the other signals that ask the process to end.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parigot_host::{Settings, ThreadError};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit_status::of_signal;
use crate::{stderr, thread};

/// Signals within this time of the first count as one. `timeout`, npm and process supervisors send
/// a signal to the process and to its group, which must not end the exit hooks of the guests.
const REPEAT: Duration = Duration::from_millis(500);

/// State of Ctrl-C, SIGTERM and SIGHUP.
///
/// The first signal stops the guests in order, the second exits immediately. The first one exits
/// immediately too while guests are being compiled or other processes are awaited: both can take
/// long and cannot be interrupted, and no guest runs yet.
///
/// | field | written by | read by |
/// |---|---|---|
/// | `signal` | the signal thread, the stdin thread | all |
/// | `compiles`, `waits` | the starting thread, around the two phases | the signal thread |
/// | `stop` | the starting thread, once | the signal thread |
///
/// All flags are sequentially consistent: a signal that misses `compiles` must not be missed by the
/// starting thread, which reads `signal` after writing its flag.
#[derive(Default)]
pub(crate) struct Interrupt {
    /// Number of the first signal; 0 before.
    signal: AtomicI32,
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
    ///
    /// # Errors
    ///
    /// If the system does not start the thread that waits for signals.
    pub(crate) fn listen() -> Result<Arc<Self>, ThreadError> {
        let interrupt = Arc::new(Interrupt::default());
        match Signals::new([SIGINT, SIGTERM, SIGHUP]) {
            Ok(signals) => Arc::clone(&interrupt).spawn_signal_thread(signals)?,
            Err(error) => {
                tracing::warn!("cannot handle signals, so Ctrl-C exits immediately: {error}");
            }
        }
        Ok(interrupt)
    }

    fn spawn_signal_thread(self: Arc<Self>, mut signals: Signals) -> Result<(), ThreadError> {
        let wait = move || {
            let mut counted: Option<Instant> = None;
            for signal in signals.forever() {
                if counted.is_none_or(|at| at.elapsed() >= REPEAT) {
                    counted = Some(Instant::now());
                    self.on_signal(signal);
                }
            }
        };
        thread::spawn("parigot signal", wait).map(drop)
    }

    /// Returns the settings with callbacks that track the phases which cannot be interrupted.
    pub(crate) fn follow_start(self: &Arc<Self>, settings: Settings) -> Settings {
        let of_compiling = Arc::clone(self);
        let inner = settings.on_compiling.clone();
        let on_compiling = move |guests: &[&str]| {
            of_compiling
                .compiles
                .store(!guests.is_empty(), Ordering::SeqCst);
            of_compiling.exit_if_signalled();
            if let Some(inner) = &inner {
                inner(guests);
            }
        };
        let of_waiting = Arc::clone(self);
        let on_waiting = move |waits| {
            of_waiting.waits.store(waits, Ordering::SeqCst);
            of_waiting.exit_if_signalled();
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
        if self.signal().is_some() {
            stop(ShutdownRequest::Stop);
        }
    }

    /// Stops the guests in order, as SIGTERM does.
    pub(crate) fn stop(&self) {
        if self.mark(SIGTERM).is_none() {
            self.request(ShutdownRequest::Stop);
        }
    }

    /// Returns the number of the first signal.
    pub(crate) fn signal(&self) -> Option<i32> {
        Some(self.signal.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }

    /// Exits with the status of an interrupted command.
    pub(crate) fn exit_immediately(&self) -> ! {
        stderr::exit(of_signal(self.signal().unwrap_or(SIGINT)))
    }

    fn exit_if_signalled(&self) {
        if self.signal().is_some() {
            self.exit_immediately();
        }
    }

    fn on_signal(&self, signal: i32) {
        if self.mark(signal).is_some() {
            self.request(ShutdownRequest::Exit);
        } else {
            // The request comes first, so that no line delays it.
            self.request(ShutdownRequest::Stop);
            tracing::info!("stopping the guests; another Ctrl-C exits immediately");
        }
    }

    /// Records a request, and returns the signal of the one before.
    fn mark(&self, signal: i32) -> Option<i32> {
        // The first signal decides the exit status, so the exchange fails for later ones.
        let before = self
            .signal
            .compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst)
            .err();
        if self.compiles.load(Ordering::SeqCst) || self.waits.load(Ordering::SeqCst) {
            self.exit_immediately();
        }
        before
    }

    fn request(&self, request: ShutdownRequest) {
        match self.stop.get() {
            Some(stop) => stop(request),
            None if request == ShutdownRequest::Exit => self.exit_immediately(),
            // `stop_with` reads `signal` as soon as there is something to stop.
            None => {}
        }
    }
}
