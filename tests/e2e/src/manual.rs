//! A host in this process whose clock the test controls.

use std::sync::Arc;
use std::time::Duration;

use parigot_host::clock::ManualClock;
use parigot_host::deployment::Deployment;
use parigot_host::{Running, Settings, start};

use crate::{App, Capture, code_cache};

/// Starts a deployment in this process with a clock that stands still at 0. Its wall clock is at
/// the start of 1970.
pub fn start_on_manual_clock(app: &App) -> (Running, Capture, Arc<ManualClock>) {
    let deployment = Deployment::read(&app.file()).expect("the deployment file must be valid");
    let clock = Arc::new(ManualClock::new(Duration::ZERO));
    let settings = Settings {
        clock: Arc::clone(&clock) as _,
        seed: Some([7; 32]),
        code_cache: Some(code_cache()),
        ..Settings::default()
    };
    let (running, log) =
        Capture::during(|| start(&deployment, settings).expect("the deployment must start"));
    (running, log, clock)
}
