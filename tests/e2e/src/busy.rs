//! A busy machine, and the size of a test.

use std::process::{Child, Command};
use std::thread::available_parallelism;

/// Processes that keep every core busy until this is dropped.
#[derive(Debug)]
pub struct BusyCores {
    processes: Vec<Child>,
}

impl BusyCores {
    /// Starts a process for each core.
    pub fn start() -> Self {
        let busy = || {
            Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .spawn()
                .expect("`sh` must be on PATH")
        };
        let cores = available_parallelism().map_or(1, usize::from);
        BusyCores {
            processes: (0..cores).map(|_| busy()).collect(),
        }
    }
}

impl Drop for BusyCores {
    fn drop(&mut self) {
        for process in &mut self.processes {
            process.kill().expect("the loop never ends by itself");
            process.wait().expect("the process is waited for once");
        }
    }
}

/// Returns `long` for `make soak`, else `short`.
pub fn soak(short: usize, long: usize) -> usize {
    if std::env::var_os("PARIGOT_SOAK_SECONDS").is_some() {
        long
    } else {
        short
    }
}
