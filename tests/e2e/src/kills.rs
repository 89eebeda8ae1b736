//! CPU time after which a method that loops is killed.

use std::time::Duration;

use parigot_host::Settings;
use parigot_host::deployment::Deployment;

use crate::{App, Capture, code_cache, guest};

/// Calls a method that loops forever, `count` times in a row, each time in a new deployment.
/// Returns the CPU times that the method had used when it was killed. The budget is 50 ms.
///
/// # Panics
///
/// If the guest is not killed, or the caller gets another error.
pub fn kill_times(count: usize) -> Vec<Duration> {
    let deployment = "[service.echo]\nwasm = \"echo.wasm\"\n\
                      [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"spin\"]\n";
    let app = App::new(deployment)
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver"));
    let deployment = Deployment::read(&app.file()).expect("the deployment file must be valid");
    let kill = |nth: usize| {
        let seed = std::array::from_fn(|byte| (nth >> (8 * byte.min(7))) as u8);
        let settings = Settings {
            code_cache: Some(code_cache()),
            seed: Some(seed),
            ..Settings::default()
        };
        let (running, log) = Capture::during(|| {
            parigot_host::start(&deployment, settings).expect("the deployment must start")
        });
        // The host fails the call before it writes its record of the end, so either may come first.
        let (mut cpu, mut has_failed) = (None, false);
        while cpu.is_none() || !has_failed {
            let line = log.next_line();
            has_failed |= line.message.starts_with("spin: INTERNAL, callee killed");
            cpu = cpu.or(line.cpu);
        }
        assert_eq!(running.wait().status, 0);
        cpu.expect("the loop ends with the CPU time")
    };
    (0..count).map(kill).collect()
}

/// Returns a histogram of the times, with a line for each millisecond.
pub fn histogram(times: &[Duration]) -> String {
    let mut counts = std::collections::BTreeMap::<u128, usize>::new();
    times
        .iter()
        .for_each(|time| *counts.entry(time.as_millis()).or_default() += 1);
    let most = counts.values().copied().max().unwrap_or(1);
    let bar = |count: usize| "#".repeat((count * 60).div_ceil(most));
    counts
        .into_iter()
        .map(|(ms, count)| format!("{ms:4} ms {count:6} {}\n", bar(count)))
        .collect()
}
