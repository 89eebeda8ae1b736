//! Settings of a host.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::limits::COMPILE_TIME_MAX_DEFAULT;

/// How a host runs.
#[derive(Clone)]
pub struct Settings {
    /// Threads that run guests, at least 1; the machine's cores unless set.
    pub workers: usize,
    /// Where time comes from; the machine's clocks unless set.
    pub clock: Arc<dyn Clock>,
    /// The seed of all randomness, ids included; the operating system's unless set.
    ///
    /// Of several processes each mixes its name into it. One that runs twice at the same time must not have it: others take both for one.
    pub seed: Option<[u8; 32]>,
    /// The largest message that is let through, in bytes of payload; 16 MiB unless set.
    pub message_bytes_max: u32,
    /// How long compiling one module may take until it is refused; 2 minutes unless set.
    pub compile_time_max: Duration,
    /// The folder where compiled guests are kept, so that the next start need not compile them; none unless set.
    ///
    /// It is made if it is not there. Its content is run as it is, hence it is used only if it belongs to the user who runs this
    /// process and nobody else can write to it. Entries go when they are not used for 30 days, or exceed 1 GiB.
    pub code_cache: Option<PathBuf>,
    /// Whether a guest is asked to end a turn as soon as that takes some milliseconds, so that others get their share of the thread. Yes unless
    /// set; else it is asked when its budget is spent, and killed when it has spent another. A run that is to be the same each time, turn by
    /// turn, must not depend on how fast the machine is.
    pub yields_on_first_tick: bool,
    /// Whether guests are asked for the descriptors of what they export and require; [`Running::exports`](crate::Running::exports) has the former. No unless set, or unless
    /// there are other processes, which want to know whether they fit.
    pub descriptors: bool,
    /// Told of the guests that are being compiled, whenever these change; of none when that is done.
    pub on_compiling: Option<Arc<OnCompiling>>,
    /// Told when the start waits for other processes or what joins them, with nothing running yet, and when that is over.
    pub on_waiting: Option<Arc<OnWaiting>>,
}

/// Takes names of guests.
pub type OnCompiling = dyn Fn(&[&str]) + Send + Sync;

/// Takes whether something is waited for.
pub type OnWaiting = dyn Fn(bool) + Send + Sync;

impl Default for Settings {
    fn default() -> Self {
        Settings {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            clock: Arc::new(SystemClock::new()),
            seed: None,
            message_bytes_max: parigot_abi::MESSAGE_BYTES_MAX,
            compile_time_max: COMPILE_TIME_MAX_DEFAULT,
            code_cache: None,
            yields_on_first_tick: true,
            descriptors: false,
            on_compiling: None,
            on_waiting: None,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}
