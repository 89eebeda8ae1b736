//! Cost of many guests: start, memory, and CPU time while they do nothing.
//!
//! Each round is a process of its own, so that nothing else is in its memory.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use bench_meter::Moment;

use crate::host::{Guests, idle_guests};
use crate::measure::{Bench, Measure};
use crate::report::{Bar, Figure, Row};

/// The argument with which this program runs one round. The number of guests follows, and the
/// number of seconds in which they do nothing.
pub(crate) const IN_THIS_PROCESS: &str = "--start";

/// Number of rounds of each measure. These measures have no reference to alternate with.
const ROUNDS: usize = 5;

pub(crate) fn measures() -> Vec<Measure> {
    let made = |guests| Measure::new(format!("start/{guests}"), move |bench| start(bench, guests));
    let rest = Measure::new("rest/1000", |bench| rest(bench, 1_000));
    [1_000, 10_000]
        .map(made)
        .into_iter()
        .chain([rest])
        .collect()
}

/// The results of one process.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Time from the start until the last guest is ready, in s.
    ready_s: f64,
    /// CPU time until then, in s.
    ready_cpu_s: f64,
    /// Resident memory per guest.
    kib_each: f64,
    /// Share of a core that the guests took while they did nothing.
    core_share: f64,
}

fn start(bench: &Bench, guests: usize) -> Row {
    let found = rounds(bench, guests, 0);
    let bar = |most| (guests == 10_000).then_some(Bar::AtMost(most));
    let mut row = Row::default();
    row.number("guests", guests);
    row.figure(Figure::each("ready_s", "s", &found, |found| found.ready_s));
    row.figure(Figure::each("ready_cpu_s", "s", &found, |found| found.ready_cpu_s).bar(bar(2.0)));
    row.figure(
        Figure::each("resident_kib_each", "KiB", &found, |found| found.kib_each).bar(bar(64.0)),
    );
    row
}

fn rest(bench: &Bench, guests: usize) -> Row {
    let found = rounds(bench, guests, 5);
    let mut row = Row::default();
    row.number("guests", guests);
    let share = Figure::each("core_percent", "%", &found, |found| {
        found.core_share * 100.0
    });
    row.figure(share.bar(Some(Bar::AtMost(1.0))));
    row
}

fn rounds(bench: &Bench, guests: usize, watch_s: u64) -> Vec<Found> {
    // Fills the code cache for all rounds.
    bench.guests.start(&idle_guests(1)).stop();
    (0..ROUNDS).map(|_| in_a_process(guests, watch_s)).collect()
}

fn in_a_process(guests: usize, watch_s: u64) -> Found {
    let this = std::env::current_exe().expect("this program must have a path");
    let mut command = Command::new(this);
    command
        .args([IN_THIS_PROCESS, &guests.to_string(), &watch_s.to_string()])
        .stderr(Stdio::inherit());
    let output = command.output().expect("this program must run once more");
    assert!(output.status.success(), "{guests} guests cannot be started");
    let line = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = line
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let [ready_s, ready_cpu_s, kib_each, core_share] = numbers[..] else {
        panic!("expected numbers, found {line:?}")
    };
    Found {
        ready_s,
        ready_cpu_s,
        kib_each,
        core_share,
    }
}

/// Runs one round with the arguments after [`IN_THIS_PROCESS`].
pub(crate) fn in_this_process(args: &[String]) {
    let numbers: Vec<u64> = args
        .iter()
        .map(|arg| arg.parse().expect("the arguments must be numbers"))
        .collect();
    let [guests, watch_s] = numbers[..] else {
        panic!("expected two numbers, found {args:?}")
    };
    let Found {
        ready_s,
        ready_cpu_s,
        kib_each,
        core_share,
    } = find_out(
        &Guests::build(),
        guests as usize,
        Duration::from_secs(watch_s),
    );
    println!("{ready_s} {ready_cpu_s} {kib_each} {core_share}");
}

fn find_out(guests: &Guests, count: usize, watch: Duration) -> Found {
    let tables = idle_guests(count);
    let resident_before = resident_kib();
    let begin = Moment::now();
    let host = guests.start(&tables);
    (0..count).for_each(|_| drop(host.wait_for("idle")));
    let ready = Moment::now();
    let kib_each = (resident_kib() - resident_before) / count as f64;
    let core_share = share_of_core(watch);
    host.stop();
    Found {
        ready_s: (ready.wall - begin.wall).as_secs_f64(),
        ready_cpu_s: (ready.process - begin.process).as_secs_f64(),
        kib_each,
        core_share,
    }
}

/// Returns the share of a core that this process takes during the given time, or 0 for no time.
fn share_of_core(watch: Duration) -> f64 {
    let begin = Moment::now();
    sleep(watch);
    let end = Moment::now();
    if watch.is_zero() {
        0.0
    } else {
        (end.process - begin.process).as_secs_f64() / (end.wall - begin.wall).as_secs_f64()
    }
}

/// Returns the resident memory of this process in KiB.
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc must exist");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("the status must have a line VmRSS");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("VmRSS must be a number of kB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_guests_start_and_are_counted() {
        let found = find_out(&Guests::build(), 20, Duration::from_millis(10));
        // Memory is not checked, because other tests allocate and free memory in this process.
        assert!(
            found.ready_s > 0.0 && found.ready_cpu_s > 0.0 && found.core_share >= 0.0,
            "{found:?}"
        );
    }
}
