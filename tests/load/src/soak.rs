//! Many calls, and guests that break at random.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::Deployed;
use parking_lot::Mutex;

use crate::{Callee, Ended, Ledger, Trial};

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// How the guests are spread.
    pub deployed: Deployed,
    /// Who serves the calls.
    pub callee: Callee,
    /// How many to make.
    pub calls: u64,
    /// How many are in flight at once.
    pub lanes: u32,
    /// One in so many breaks the callee.
    pub harm_every: u64,
    /// Which ones, and how. What else is left to chance, such as who runs first, is not in it.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Soaked {
    /// The calls.
    pub ended: Ended,
    /// How often the callee was made anew.
    pub restarts: usize,
    /// How long it took.
    pub took: Duration,
    /// What this process had of memory after each twentieth of the calls, in KiB.
    pub resident_kib: Vec<u64>,
}

/// All that breaks a guest.
const HARMS: &str = "Trap,Loop,Fill,Overflow,Grow,Panic,Leave";

/// So often memory is looked at.
const SAMPLES: u64 = 20;

impl Soak {
    /// Does it.
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
        let trial = Trial::of(deployed, callee, "max_restarts = 1000\nmax_seconds = 1\nrestart = \"always\"").caller(&format!(
            "--lanes {lanes} --deadline-ms 10000 --harm-every {harm_every} --harms {HARMS} --seed {seed} Nothing*{calls}"
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

/// What this process has of memory, in KiB.
pub fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("it is there");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

impl Soaked {
    /// By how much memory has grown since a quarter of the calls was made, in KiB.
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
            "{restarts} restarts in {took:.1?}; KiB of memory after each twentieth of the calls: {resident_kib:?}"
        )
    }
}
