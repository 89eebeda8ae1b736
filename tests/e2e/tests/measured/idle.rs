//! Instances that do nothing cost next to nothing.

use std::fs;
use std::time::{Duration, Instant};

use e2e::{App, Started, guest, soak};

use crate::alone;

/// A deployment of so many sleepers.
fn sleepers(count: usize) -> App {
    let table = |k| format!("[program.s{k}]\nwasm = \"sleeper.wasm\"\n");
    App::new(&(0..count).map(table).collect::<String>()).with("sleeper.wasm", guest("sleeper"))
}

/// Starts them and waits until all are asleep.
fn put_to_sleep(app: &App, count: usize) -> Started {
    let mut started = app.start();
    (0..count).for_each(|_| _ = started.wait_for("asleep"));
    started
}

/// What the system says of a process.
struct Process(u32);

impl Process {
    fn read(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn resident_kib(&self) -> u64 {
        let status = self.read("status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("it is there");
        line.trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number")
    }

    fn mappings(&self) -> usize {
        self.read("maps").lines().count()
    }

    /// Of all its threads, those that have ended included.
    fn cpu_time(&self) -> Duration {
        const TICK: Duration = Duration::from_millis(10);
        let stat = self.read("stat");
        let (_, behind_name) = stat.rsplit_once(") ").expect("a name in parentheses");
        let field = |nth: usize| {
            behind_name
                .split(' ')
                .nth(nth)
                .and_then(|ticks| ticks.parse::<u32>().ok())
        };
        TICK * (field(11).expect("user time") + field(12).expect("system time"))
    }
}

#[test]
fn an_idle_instance_takes_less_than_64_kib_and_four_mappings() {
    let _alone = alone();
    let count = soak(500, 10_000);
    let few = sleepers(1);
    let started = put_to_sleep(&few, 1);
    let one = Process(started.id());
    let kib = one.resident_kib();
    let mappings = one.mappings();
    let one_cpu = one.cpu_time();
    drop(started);

    let app = sleepers(count);
    let begin = Instant::now();
    let started = put_to_sleep(&app, count);
    let (process, took) = (Process(started.id()), begin.elapsed());
    let each_kib = (process.resident_kib() - kib) as f64 / (count - 1) as f64;
    let each_mappings = (process.mappings() - mappings) as f64 / (count - 1) as f64;
    let cpu = process.cpu_time();
    println!(
        "{count} instances: {took:?}, {cpu:?} of CPU time; each {each_kib:.1} KiB and {each_mappings:.2} mappings"
    );
    assert!(each_kib < 64.0, "{each_kib} KiB");
    assert!(each_mappings < 4.1, "{each_mappings} mappings");
    // `make bench` says how much that is. Here: an instance costs no more if there are many, and
    // far less than what a process takes to begin with.
    let each_ratio = (cpu - one_cpu).as_secs_f64() / (count - 1) as f64 / one_cpu.as_secs_f64();
    assert!(each_ratio < 0.01, "{one_cpu:?} for one, then {cpu:?}");
}

#[test]
fn a_thousand_idle_instances_take_less_than_a_hundredth_of_a_core() {
    let _alone = alone();
    let app = sleepers(1_000);
    let started = put_to_sleep(&app, 1_000);
    let process = Process(started.id());
    // The last one is still putting itself to sleep.
    let begin = (Instant::now(), process.cpu_time());
    std::thread::sleep(Duration::from_secs(5));
    let (passed, took) = (begin.0.elapsed(), process.cpu_time() - begin.1);
    println!("a thousand idle instances: {took:?} of CPU time in {passed:?}");
    assert!(took < passed / 100, "{took:?} in {passed:?}");
}
