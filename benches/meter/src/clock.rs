//! The clocks of this process, and the core that it runs on.

use std::time::{Duration, Instant};

use crate::Measured;

/// Keeps this thread, and all threads and processes that it makes, on one core.
///
/// # Panics
///
/// If the system refuses.
pub fn pin_to_one_core() {
    // SAFETY: a `cpu_set_t` is a bit set, for which all zeros is the empty set; the calls get its address and size.
    let failed = unsafe {
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(last_core(), &mut cores);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &cores)
    };
    assert_eq!(failed, 0, "this process may choose its core");
}

/// Interrupts are often served by the first core.
fn last_core() -> usize {
    std::thread::available_parallelism().map_or(0, |cores| cores.get() - 1)
}

/// CPU time so far: of all threads of this process, or of the thread that asks.
fn cpu_time(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes a `timespec` to a valid address.
    let failed = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(failed, 0, "Linux counts CPU time");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// All clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time.
    pub wall: Instant,
    /// CPU time that this process has had.
    pub process: Duration,
    /// CPU time that the thread has had which looked.
    pub thread: Duration,
}

impl Moment {
    /// Looks at the clocks.
    pub fn now() -> Self {
        Moment {
            wall: Instant::now(),
            process: cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID),
            thread: cpu_time(libc::CLOCK_THREAD_CPUTIME_ID),
        }
    }

    /// What each of `calls` has taken since then.
    pub fn per_call_since(self, begin: Moment, calls: usize) -> Measured {
        Measured {
            wall_ns: (self.wall - begin.wall).as_nanos() as f64 / calls as f64,
            cpu_ns: (self.process - begin.process).as_nanos() as f64 / calls as f64,
            ..Measured::default()
        }
    }
}
