//! Clocks of this process, and the choice of its core.

use std::time::{Duration, Instant};

use crate::Measured;

/// Pins this thread, and all threads and processes that it starts, to one core.
///
/// # Panics
///
/// If the system rejects the call.
pub fn pin_to_one_core() {
    // SAFETY: a `cpu_set_t` is a bit set, for which all zeros is the empty set; the calls get its
    // address and size.
    let failed = unsafe {
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(last_core(), &mut cores);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &cores)
    };
    assert_eq!(failed, 0, "sched_setaffinity must succeed");
}

/// Returns the last core, because the first one often serves interrupts.
fn last_core() -> usize {
    std::thread::available_parallelism().map_or(0, |cores| cores.get() - 1)
}

/// Returns the CPU time of this process or of this thread, depending on the clock.
fn cpu_time(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes a `timespec` to a valid address.
    let failed = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(failed, 0, "clock_gettime must succeed");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// All clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Real time.
    pub wall: Instant,
    /// CPU time of this process.
    pub process: Duration,
    /// CPU time of the thread that read the clocks.
    pub thread: Duration,
}

impl Moment {
    /// Reads the clocks.
    pub fn now() -> Self {
        Moment {
            wall: Instant::now(),
            process: cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID),
            thread: cpu_time(libc::CLOCK_THREAD_CPUTIME_ID),
        }
    }

    /// Returns the average cost of each of `calls` calls since `begin`.
    pub fn per_call_since(self, begin: Moment, calls: usize) -> Measured {
        Measured {
            wall_ns: (self.wall - begin.wall).as_nanos() as f64 / calls as f64,
            cpu_ns: (self.process - begin.process).as_nanos() as f64 / calls as f64,
            ..Measured::default()
        }
    }
}
