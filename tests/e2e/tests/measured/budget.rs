//! Budgets: a guest that exceeds its budget is killed soon after, and no other guest is killed,
//! however busy the machine is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::{
    App, BusyCores, Capture, PairCalls, WithControlPair, code_cache, guest, histogram, kill_times,
    soak,
};
use parigot_host::Settings;
use parigot_host::clock::{Clock, SystemClock};
use parigot_host::deployment::Deployment;

use crate::alone;

#[test]
fn a_method_that_loops_is_killed_soon_after_50_ms() {
    let _alone = alone();
    let times = kill_times(soak(20, 1_000));
    println!(
        "CPU time of {} methods that loop, when they were killed:\n{}",
        times.len(),
        histogram(&times)
    );
    let before = times.iter().filter(|time| time.as_millis() < 50).count();
    let soon = times.iter().filter(|time| time.as_millis() <= 60).count();
    assert_eq!(before, 0, "{}", histogram(&times));
    // On a machine that others use too, the thread that ticks is late now and then.
    assert!(soon * 4 >= times.len() * 3, "{}", histogram(&times));
}

/// Results of methods that compute.
#[derive(Default)]
struct Burnt {
    /// CPU time of each call that was answered.
    answered: Vec<Duration>,
    /// CPU time of the call that was killed, which is the last one.
    killed: Option<Duration>,
}

/// Lets a service compute `rounds` rounds for each of `calls` calls, on one worker, until a call is
/// killed.
fn burn(rounds: u64, calls: usize, budget: &str) -> Burnt {
    let calls = vec!["echo:1@60000"; calls];
    let app = App::new(&format!(
        "[service.faulty]\nwasm = \"faulty.wasm\"\nargs = [\"burn:{rounds}\"]\nbudget = \
         \"{budget}\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = {calls:?}\n"
    ));
    let app = app
        .with("faulty.wasm", guest("faulty"))
        .with("driver.wasm", guest("driver"));
    let deployment = Deployment::read(&app.file()).expect("the deployment file must be valid");
    let settings = Settings {
        workers: 1,
        code_cache: Some(code_cache()),
        ..Settings::default()
    };
    let (running, log) = Capture::during(|| {
        parigot_host::start(&deployment, settings).expect("the deployment must start")
    });
    let mut burnt = Burnt::default();
    let mut before = process_time();
    for _ in &calls {
        let told = log.wait_for("echo:1@60000: ").message;
        let took = process_time() - before;
        if told != "echo:1@60000: 0 bytes" {
            assert!(told.contains("callee killed: faulty was killed"), "{told}");
            burnt.killed = Some(took);
            break;
        }
        burnt.answered.push(took);
        before += took;
    }
    running.stopper().stop();
    assert_eq!(running.wait().status, 0);
    burnt
}

/// Returns the CPU time of this process.
fn process_time() -> Duration {
    cpu_time::ProcessTime::now().as_duration()
}

/// Returns the number of rounds that take 40 ms of CPU time at the present speed of the machine.
fn rounds_of_40_ms() -> u64 {
    const ROUNDS: u64 = 10_000_000;
    let mut times = burn(ROUNDS, 5, "60s").answered;
    times.sort();
    let median = times[times.len() / 2];
    (ROUNDS as f64 * 0.040 / median.as_secs_f64()) as u64
}

/// Rounds that took 40 ms take longer when the machine gets slower, as shared machines do. Then a
/// call may be killed, but not before its 50 ms, and the rounds are measured again.
#[test]
fn methods_within_their_budget_are_never_killed() {
    const AT_ONCE: usize = 25;
    let _alone = alone();
    let _load = BusyCores::start();
    let wanted = soak(200, 3_000);
    let begin = Instant::now();
    let mut answered = Vec::new();
    let mut slowed = 0;
    while answered.len() < wanted {
        let burnt = burn(rounds_of_40_ms(), AT_ONCE, "50ms");
        answered.extend(burnt.answered);
        if let Some(took) = burnt.killed {
            assert!(took >= Duration::from_millis(50), "killed after {took:?}");
            slowed += 1;
        }
        assert!(
            slowed <= 10 + answered.len() / AT_ONCE,
            "{slowed} times the machine got slower:\n{}",
            histogram(&answered)
        );
    }
    let calls = answered.len();
    let took = begin.elapsed();
    println!(
        "CPU time of {calls} calls in {took:?}; {slowed} times the machine got slower:\n{}",
        histogram(&answered)
    );
}

/// A clock that advances with the CPU time of this process, so that other processes do not count.
pub(crate) struct CpuClock;

impl Clock for CpuClock {
    fn monotonic_ns(&self) -> u64 {
        process_time().as_nanos() as u64
    }

    fn wall_ns(&self) -> u64 {
        SystemClock::new().wall_ns()
    }

    /// The clock may be slower than real time, and then the host waits again.
    fn real_time_until(&self, monotonic_ns: u64) -> Option<Duration> {
        let left = Duration::from_nanos(monotonic_ns.saturating_sub(self.monotonic_ns()));
        Some(left.max(Duration::from_millis(1)))
    }

    fn on_moved(&self, _moved: Box<dyn Fn() + Send>) {}
}

#[test]
fn a_thousand_ready_tasks_delay_no_other_guest() {
    let _alone = alone();
    let app = App::new(
        "[service.echo]\nwasm = \"echo.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"toil:1000@600000\"]\n",
    );
    let app = app
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver"));
    let beside = WithControlPair::new(app).without_pauses();
    let beside = beside.with_settings(|settings| Settings {
        workers: 1,
        clock: Arc::new(CpuClock),
        ..settings
    });
    let begin = process_time();
    let ran = beside.run("toil:1000@600000: ");
    let whole = process_time() - begin;
    let PairCalls {
        answered,
        failed,
        longest,
    } = ran.pair;
    println!(
        "beside a thousand tasks on one worker: {answered} calls, the longest took {longest:?}"
    );
    assert!(
        ran.messages_of("driver")
            .any(|line| line == "toil:1000@600000: 0 bytes"),
        "{:?}",
        ran.log
    );
    assert_eq!(failed, 0);
    // Relative to the work, because tasks take longer on a slower machine.
    let longest_max = Duration::from_millis(15).max(whole / 50);
    assert!(longest < longest_max, "{longest:?} of {whole:?}");
}
