//! Memory and CPU time of idle instances.

use std::fs;
use std::time::{Duration, Instant};

use e2e::{App, Started, guest, soak};

use crate::alone;

/// Returns a deployment of this many sleepers.
fn sleepers(count: usize) -> App {
    let table = |k| format!("[program.s{k}]\nwasm = \"sleeper.wasm\"\n");
    App::new(&(0..count).map(table).collect::<String>()).with("sleeper.wasm", guest("sleeper"))
}

/// Starts the deployment and waits until all guests sleep.
fn put_to_sleep(app: &App, count: usize) -> Started {
    let mut started = app.start();
    (0..count).for_each(|_| _ = started.wait_for("asleep"));
    started
}

/// Statistics of a process from /proc.
pub(crate) struct Process(pub(crate) u32);

impl Process {
    fn read(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn resident_kib(&self) -> u64 {
        let status = self.read("status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("the file must be readable");
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("the line must have a number")
    }

    fn mappings(&self) -> usize {
        self.read("maps").lines().count()
    }

    /// Returns the CPU time of all threads, including ended ones.
    fn cpu_time(&self) -> Duration {
        const TICK: Duration = Duration::from_millis(10);
        let stat = self.read("stat");
        let (_, behind_name) = stat
            .rsplit_once(") ")
            .expect("the line has a name in parentheses");
        let field = |nth: usize| {
            behind_name
                .split(' ')
                .nth(nth)
                .and_then(|ticks| ticks.parse::<u32>().ok())
        };
        TICK * (field(11).expect("the line has a user time")
            + field(12).expect("the line has a system time"))
    }
}

#[test]
fn an_idle_instance_takes_less_than_64_kib() {
    let _alone = alone();
    let count = soak(500, 10_000);
    let few = sleepers(1);
    let started = put_to_sleep(&few, 1);
    let one = Process(started.id());
    let kib = one.resident_kib();
    let mappings = one.mappings();
    drop(started);

    let app = sleepers(count);
    let begin = Instant::now();
    let started = put_to_sleep(&app, count);
    let took = begin.elapsed();
    let process = Process(started.id());
    let each_kib = (process.resident_kib() - kib) as f64 / (count - 1) as f64;
    let each_mappings = (process.mappings() - mappings) as f64 / (count - 1) as f64;
    let cpu = process.cpu_time();
    println!(
        "{count} instances: {took:?}, {cpu:?} of CPU time; each {each_kib:.1} KiB and \
         {each_mappings:.2} mappings"
    );
    assert!(each_kib < 64.0, "{each_kib} KiB");
    assert!(each_mappings < 4.1, "{each_mappings} mappings");
    // Some 0.25 ms each are usual, and `make bench` has a bar for that. The limit here leaves room
    // for slow machines, and finds a start whose cost grows with the number of instances.
    let cpu_max = Duration::from_millis(1) * count as u32 + Duration::from_secs(1);
    assert!(cpu < cpu_max, "{cpu:?}");
}

#[test]
fn a_thousand_idle_instances_take_1_percent_of_a_core() {
    let _alone = alone();
    let app = sleepers(1_000);
    let started = put_to_sleep(&app, 1_000);
    let process = Process(started.id());
    // The last guest to log is still in its turn.
    let begin = Instant::now();
    let cpu = process.cpu_time();
    std::thread::sleep(Duration::from_secs(5));
    let passed = begin.elapsed();
    let took = process.cpu_time() - cpu;
    println!("a thousand idle instances: {took:?} of CPU time in {passed:?}");
    assert!(took < passed / 100, "{took:?} in {passed:?}");
}
