//! A machine that is busy, and how much a test may ask of it.

use std::process::{Child, Command};
use std::thread::available_parallelism;

/// Processes that keep every core busy until this is dropped.
#[derive(Debug)]
pub struct Load {
    processes: Vec<Child>,
}

impl Load {
    /// Starts one for each core.
    pub fn on_all_cores() -> Self {
        let busy = || {
            Command::new("sh")
                .args(["-c", "while :; do :; done"])
                .spawn()
                .expect("there is a shell")
        };
        let cores = available_parallelism().map_or(1, usize::from);
        Load {
            processes: (0..cores).map(|_| busy()).collect(),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for process in &mut self.processes {
            process.kill().expect("it runs for ever");
            process.wait().expect("it is waited for once");
        }
    }
}

/// `long` for `make soak`, else `short`.
pub fn soak(short: usize, long: usize) -> usize {
    if std::env::var_os("PARIGOT_SOAK_SECONDS").is_some() {
        long
    } else {
        short
    }
}
