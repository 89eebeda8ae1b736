//! Deployments whose calls are counted.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use e2e::{
    App, CONTROL_PAIR, Captured, ChildProcess, DEADLINE, Deployed, Nats, Ran, StartedWithPair,
    WithControlPair, go_guest, guest,
};
use parigot_host::{Pending, Settings};
use parking_lot::{Condvar, Mutex};

use crate::{Entry, Ledger, Report};

/// Time limit for compiling one guest: ample, because a trial does not test the compiler and the
/// machine may be busy.
pub const COMPILE_TIME_MAX: Duration = Duration::from_secs(1_200);

/// The service that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A worker in Rust.
    Rust,
    /// A worker in Go.
    Go,
    /// A guest that violates the ABI when a job has a deed. Its first argument selects the
    /// violation.
    Faulty,
}

/// Each distribution of the guests with each language of the callee.
pub const EACH: [(Deployed, Callee); 4] = [
    (Deployed::Together, Callee::Rust),
    (Deployed::Together, Callee::Go),
    (Deployed::Apart, Callee::Rust),
    (Deployed::Apart, Callee::Go),
];

impl Callee {
    fn wasm(self) -> &'static [u8] {
        static RUST: LazyLock<Vec<u8>> = LazyLock::new(|| guest("worker"));
        static GO: LazyLock<Vec<u8>> = LazyLock::new(|| go_guest("worker"));
        static ROGUE: LazyLock<Vec<u8>> = LazyLock::new(|| guest("faulty"));
        match self {
            Callee::Faulty => &ROGUE,
            Callee::Rust => &RUST,
            Callee::Go => &GO,
        }
    }
}

/// A deployment whose calls are counted: the service `work`, the programs `caller0`, `caller1` and
/// so on, the service `store`, which `work` calls on request, and the control pair.
///
/// | process, if apart | guests |
/// |---|---|
/// | `front` | the callers |
/// | `back` | `work`, and the control pair if no process is a child process |
/// | `deep` | `store`, and the control pair otherwise: it must outlive a killed process |
///
/// So every counted call crosses a process boundary.
#[derive(Debug)]
pub struct Trial {
    deployed: Deployed,
    callee: Callee,
    keys: String,
    callers: Vec<String>,
    settings: Settings,
    ledger: Ledger,
    child_processes: &'static [&'static str],
    has_twin: bool,
}

impl Trial {
    /// Creates a trial whose service has these keys in its table, besides its file. Its log limit
    /// is 1 GiB unless the keys set another.
    pub fn of(deployed: Deployed, callee: Callee, keys: &str) -> Self {
        let settings = Settings {
            workers: 2,
            seed: Some([7; 32]),
            code_cache: Some(e2e::code_cache()),
            compile_time_max: COMPILE_TIME_MAX,
            ..Settings::default()
        };
        Trial {
            deployed,
            callee,
            keys: keys.to_owned(),
            callers: Vec::new(),
            settings,
            ledger: Ledger::default(),
            child_processes: &[],
            has_twin: false,
        }
    }

    /// Adds a caller with these arguments: see `tests/guests/caller`.
    pub fn caller(mut self, args: &str) -> Self {
        let number = self.callers.len();
        let args: Vec<_> = ["--caller", &number.to_string()]
            .into_iter()
            .chain(args.split(' '))
            .map(str::to_owned)
            .collect();
        self.callers.push(format!("{args:?}"));
        self
    }

    /// Changes the settings of the hosts.
    pub fn with_settings(self, change: impl FnOnce(Settings) -> Settings) -> Self {
        Trial {
            settings: change(self.settings),
            ..self
        }
    }

    /// Counts with this ledger.
    pub fn with_ledger(self, ledger: Ledger) -> Self {
        Trial { ledger, ..self }
    }

    /// Runs these processes of the deployment as child processes, which can be killed.
    pub fn with_child_processes(self, names: &'static [&'static str]) -> Self {
        Trial {
            child_processes: names,
            ..self
        }
    }

    /// Adds the service `twin`, a copy of `work` that shares its calls. If apart, `twin` is in a
    /// process of that name.
    pub fn with_twin(self) -> Self {
        Trial {
            has_twin: true,
            keys: format!("shared = ['load.v1.Work']\n{}", self.keys),
            ..self
        }
    }

    fn app(&self) -> (App, Option<Nats>) {
        static CALLER: LazyLock<Vec<u8>> = LazyLock::new(|| guest("caller"));
        static STORE: LazyLock<Vec<u8>> = LazyLock::new(|| guest("store"));
        let Trial {
            deployed,
            callee,
            keys,
            callers,
            ..
        } = self;
        let log = if keys.contains("log = ") {
            ""
        } else {
            "log = \"1GiB\""
        };
        let twin = self.has_twin.then_some("twin");
        let mut file = "[service.store]\nwasm = \"store.wasm\"\n".to_owned();
        for name in ["work"].into_iter().chain(twin) {
            write!(
                file,
                "[service.{name}]\nwasm = \"work.wasm\"\n{log}\n{keys}\n"
            )
            .expect("writing to a string never fails");
        }
        for (number, args) in callers.iter().enumerate() {
            write!(
                file,
                "[program.caller{number}]\nwasm = \"caller.wasm\"\nlog = \"1GiB\"\nargs = {args}\n"
            )
            .expect("writing to a string never fails");
        }
        let app = App::new(&file).with("work.wasm", callee.wasm());
        let app = app
            .with("caller.wasm", &*CALLER)
            .with("store.wasm", &*STORE);
        let front: Vec<_> = (0..callers.len())
            .map(|number| format!("caller{number}"))
            .collect();
        let mut back = "work".to_owned();
        let mut deep = "store".to_owned();
        let with_pair = if self.child_processes.is_empty() {
            &mut back
        } else {
            &mut deep
        };
        CONTROL_PAIR
            .iter()
            .for_each(|name| with_pair.extend([" ", name]));
        let mut processes = vec![("front", front.join(" ")), ("back", back), ("deep", deep)];
        processes.extend(twin.map(|twin| (twin, twin.to_owned())));
        let processes: Vec<_> = processes
            .iter()
            .map(|(name, guests)| (*name, guests.as_str()))
            .collect();
        deployed.spread(app, &processes)
    }

    /// Starts the trial.
    #[track_caller]
    pub fn start(self) -> Running {
        self.start_with(|_, _| {})
    }

    /// Starts the trial. Calls `look` with the ledger after each line for it, on the thread that
    /// has logged the line.
    #[track_caller]
    pub fn start_with(self, look: impl Fn(Entry, &Ledger) + Send + Sync + 'static) -> Running {
        let (app, nats) = self.app();
        let callers = self.callers.len();
        let counted = Arc::new(Counted {
            ledger: Mutex::new(self.ledger),
            grown: Condvar::new(),
        });
        let settings = self.settings;
        let counting = Arc::clone(&counted);
        let take = move |line: &Captured| {
            let mut ledger = counting.ledger.lock();
            let entry = ledger.read(&line.message);
            entry.into_iter().for_each(|entry| look(entry, &ledger));
            counting.grown.notify_all();
            // `end` waits for the lines that say that a caller has finished, so they stay.
            entry.is_some_and(|entry| entry != Entry::Sent)
        };
        let beside = WithControlPair::new(app)
            .with_settings(|_| settings)
            .with_child_processes(self.child_processes)
            .start(take);
        Running {
            beside,
            nats,
            counted,
            callers,
            log: Vec::new(),
        }
    }

    /// Runs the trial until all callers have made all their calls.
    #[track_caller]
    pub fn run(self) -> Ended {
        self.start().end()
    }
}

/// The ledger, and the threads that wait for its growth.
#[derive(Debug)]
struct Counted {
    ledger: Mutex<Ledger>,
    grown: Condvar,
}

/// Longest time for which calls may stay in the tables of the hosts after the last caller has
/// finished. The
/// longest legitimate reason is a call whose caller was killed: it stays until its deadline.
const LEAK_PATIENCE: Duration = Duration::from_secs(20);

/// A running trial.
#[derive(Debug)]
pub struct Running {
    beside: StartedWithPair,
    nats: Option<Nats>,
    counted: Arc<Counted>,
    /// Number of callers that have not finished.
    callers: usize,
    log: Vec<Captured>,
}

/// Result of a trial.
#[derive(Debug)]
pub struct Ended {
    /// Counts of the calls.
    pub report: Report,
    /// Instances with calls in flight after all calls have ended.
    pub pending: Vec<Pending>,
    /// Outcome, log, and the calls of the control pair.
    pub ran: Ran,
}

impl Running {
    /// Waits for a line that contains `text`.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> &Captured {
        let lines = self.beside.log.until(text);
        lines.into_iter().for_each(|line| self.note(line));
        self.log
            .last()
            .expect("`until` returns the line it waited for last")
    }

    /// Waits until `holds` returns true for the ledger.
    #[track_caller]
    pub fn wait_until(&self, holds: impl Fn(&Ledger) -> bool) {
        let mut ledger = self.counted.ledger.lock();
        let until = Instant::now() + DEADLINE;
        while !holds(&ledger) {
            let late = self
                .counted
                .grown
                .wait_until(&mut ledger, until)
                .timed_out();
            assert!(
                !late,
                "the condition does not hold after {DEADLINE:?}: {}",
                ledger.report(0)
            );
        }
    }

    /// Returns the number of calls that were begun until now.
    pub fn ran(&self) -> u64 {
        self.counted.ledger.lock().ran()
    }

    /// Returns the number of calls that have ended as refused until now.
    pub fn refused(&self) -> u64 {
        self.counted.ledger.lock().refused()
    }

    fn note(&mut self, line: Captured) {
        if line.message.starts_with("load: sent ") {
            self.callers -= 1;
        }
        // The control pair logs all the time.
        if !CONTROL_PAIR.contains(&&*line.service) {
            self.log.push(line);
        }
    }

    /// Returns the files of the deployment.
    pub fn app(&self) -> &App {
        &self.beside.app
    }

    /// Returns the NATS server.
    ///
    /// # Panics
    ///
    /// If the guests are in one process.
    pub fn nats(&mut self) -> &mut Nats {
        self.nats
            .as_mut()
            .expect("the trial must have several processes")
    }

    /// Returns the child process of that name.
    pub fn child(&mut self, name: &str) -> &mut ChildProcess {
        self.beside.hosts.child(name)
    }

    /// Kills the child process of that name, which has a callee.
    pub fn kill_callee(&mut self, name: &str) {
        self.child(name).kill();
        self.counted.ledger.lock().lose_lines();
    }

    /// Reduces the number of callers to wait for by one, because the test has killed it.
    pub fn lose_caller(&mut self) {
        self.callers -= 1;
    }

    /// Ends the trial as [`Running::end`] does, and returns the number of calls that were begun.
    #[track_caller]
    pub fn end_with_begun(self) -> (Ended, u64) {
        let counted = Arc::clone(&self.counted);
        let ended = self.end();
        let begun = counted.ledger.lock().ran();
        (ended, begun)
    }

    /// Waits until all callers have finished, counts the calls that are left in the tables of the
    /// hosts, and stops the hosts.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let mut ended = 0;
        let mut since = Instant::now();
        while self.callers > 0 {
            let line = self.beside.log.next_line();
            self.note(line);
            // No deadline for the whole trial, which may have millions of calls: it goes on as long
            // as calls end.
            let ended_by_now = self.counted.ledger.lock().ended();
            if ended_by_now != ended {
                ended = ended_by_now;
                since = Instant::now();
            }
            assert!(
                since.elapsed() < DEADLINE,
                "no call ends any more after {ended} calls"
            );
        }
        let pending = self.pending();
        let leaked = pending.iter().map(calls_of).sum::<usize>() as u64;
        let Running {
            beside,
            counted,
            log,
            nats: _nats,
            ..
        } = self;
        let ran = beside.stop(log);
        Ended {
            report: counted.ledger.lock().report(leaked),
            pending,
            ran,
        }
    }

    /// Returns the instances with calls in flight, except the control pair: none as soon as there
    /// are none, else those after `LEAK_PATIENCE`.
    fn pending(&self) -> Vec<Pending> {
        let until = Instant::now() + LEAK_PATIENCE;
        loop {
            let mut pending = self.beside.hosts.pending();
            pending.retain(|pending| {
                calls_of(pending) > 0 && !CONTROL_PAIR.contains(&&*pending.guest)
            });
            if pending.is_empty() || Instant::now() > until {
                return pending;
            }
            std::thread::yield_now();
        }
    }
}

fn calls_of(pending: &Pending) -> usize {
    // `None` while the guest is in a turn, and then it has work to do.
    pending.inbound + pending.outbound.unwrap_or(1)
}

impl Ended {
    /// Checks that every promise was kept, to the callers and to the control pair.
    #[track_caller]
    pub fn assert_kept(&self) -> &Report {
        let Ended {
            report,
            pending,
            ran,
        } = self;
        assert!(report.is_kept(), "\n{report}\n{pending:?}\n{}", self.log());
        assert_eq!(ran.pair.failed, 0, "{:?}\n{}", ran.pair, self.log());
        assert!(ran.pair.answered >= 100, "{:?}", ran.pair);
        report
    }

    /// Returns the log without the lines for the ledger, as text.
    pub fn log(&self) -> String {
        let mut log = String::new();
        for Captured {
            service,
            call,
            message,
            method,
            ..
        } in &self.ran.log
        {
            writeln!(log, "{service} {call} {method} {message}")
                .expect("writing to a string never fails");
        }
        log
    }
}
