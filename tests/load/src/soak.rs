//! Many calls to guests that fail at random.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::Deployed;
use parking_lot::Mutex;

use crate::{Callee, Ended, Ledger, Trial};

/// Parameters of a soak.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// Distribution of the guests.
    pub deployed: Deployed,
    /// The service.
    pub callee: Callee,
    /// Number of calls.
    pub calls: u64,
    /// Number of calls in flight at a time.
    pub lanes: u32,
    /// One call in this many makes the callee fail.
    pub harm_every: u64,
    /// Seed of the choice which calls make the callee fail, and how. It does not determine
    /// scheduling.
    pub seed: u64,
}

/// Result of a soak.
#[derive(Debug)]
pub struct Soaked {
    /// The counts.
    pub ended: Ended,
    /// Number of restarts of the callee.
    pub restarts: usize,
    /// Duration.
    pub took: Duration,
    /// Resident memory of this process after each twentieth of the calls, in KiB.
    pub resident_kib: Vec<u64>,
}

/// The ways in which the callee fails.
const HARMS: &str = "Trap,Loop,Fill,Overflow,Grow,Panic,Leave";

/// Number of memory samples.
const SAMPLES: u64 = 20;

impl Soak {
    /// Runs the soak.
    #[track_caller]
    pub fn run(self) -> Soaked {
        let Soak {
            deployed,
            callee,
            calls,
            lanes,
            harm_every,
            seed,
        } = self;
        let begun = Instant::now();
        let resident_kib = Arc::new(Mutex::new(Vec::new()));
        let trial = Trial::of(
            deployed,
            callee,
            "max_restarts = 1000\nmax_seconds = 1\nrestart = \
                                                 \"always\"",
        )
        .caller(&format!(
            "--lanes {lanes} --deadline-ms 10000 --harm-every {harm_every} --harms {HARMS} --seed \
             {seed} Nothing*{calls}"
        ));
        let samples = Arc::clone(&resident_kib);
        let running =
            trial
                .with_ledger(Ledger::with_room_for(calls))
                .start_with(move |_, ledger| {
                    let mut samples = samples.lock();
                    if ledger.ended() >= (samples.len() as u64 + 1) * calls / SAMPLES {
                        samples.push(memory_kib());
                    }
                });
        let ended = running.end();
        let is_restart = |message: &str| message.starts_with("restarted after ");
        let restarts = ended
            .ran
            .messages_of("work")
            .filter(|message| is_restart(message))
            .count();
        let resident_kib = resident_kib.lock().clone();
        Soaked {
            ended,
            restarts,
            took: begun.elapsed(),
            resident_kib,
        }
    }
}

/// Returns the resident memory of this process in KiB.
pub fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is Linux's");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("the status has a line VmRSS");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("VmRSS is a number of kB")
}

impl Soaked {
    /// Returns the growth of memory after the first quarter of the calls, in KiB.
    pub fn growth_kib(&self) -> u64 {
        let (early, late) = self.resident_kib.split_at(self.resident_kib.len() / 4);
        let most = |samples: &[u64]| samples.iter().copied().max().unwrap_or(0);
        most(late).saturating_sub(most(early))
    }
}

impl fmt::Display for Soaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Soaked {
            ended,
            restarts,
            took,
            resident_kib,
        } = self;
        writeln!(f, "{}", ended.report)?;
        write!(
            f,
            "{restarts} restarts in {took:.1?}; KiB of memory after each twentieth of the calls: \
             {resident_kib:?}"
        )
    }
}
