//! A deployment whose calls are counted.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use e2e::{
    App, BesideNeighbours, Captured, DEADLINE, Deployed, Elsewhere, NEIGHBOURS, Nats, Ran,
    StartedBeside, go_guest, guest,
};
use parigot_host::{Pending, Settings};
use parking_lot::{Condvar, Mutex};

use crate::{Entry, Ledger, Report};

/// Who serves the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A worker in Rust.
    Rust,
    /// A worker in Go.
    Go,
    /// What breaks the rules of the ABI when a job has a deed: its first argument says how.
    Rogue,
}

/// Each language of the callee, deployed in each way.
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
        static ROGUE: LazyLock<Vec<u8>> = LazyLock::new(|| guest("rogue"));
        match self {
            Callee::Rogue => &ROGUE,
            Callee::Rust => &RUST,
            Callee::Go => &GO,
        }
    }
}

/// A deployment whose calls are counted: the service `work`, programs `caller0` and so on, the service `store`, which `work` calls if it is told to, and
/// the pair.
///
/// Apart, the callers are in the process `front`, `work` and the pair in `back`, where things break, and `store` in `deep`. So no call that is counted
/// stays in its process. With a process that can be killed goes all that is in it: then the pair is in `deep`.
#[derive(Debug)]
pub struct Trial {
    deployed: Deployed,
    callee: Callee,
    keys: String,
    callers: Vec<String>,
    settings: Settings,
    ledger: Ledger,
    elsewhere: &'static [&'static str],
    has_twin: bool,
}

impl Trial {
    /// One whose service has these keys in its table, beside that of its file; it may log as much as it will unless they say otherwise.
    pub fn of(deployed: Deployed, callee: Callee, keys: &str) -> Self {
        let settings = Settings {
            workers: 2,
            seed: Some([7; 32]),
            code_cache: Some(e2e::code_cache()),
            ..Settings::default()
        };
        let (keys, callers, ledger) = (keys.to_owned(), Vec::new(), Ledger::default());
        Trial {
            deployed,
            callee,
            keys,
            callers,
            settings,
            ledger,
            elsewhere: &[],
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

    /// Changes how the host runs.
    pub fn with_settings(self, change: impl FnOnce(Settings) -> Settings) -> Self {
        Trial {
            settings: change(self.settings),
            ..self
        }
    }

    /// Counts with a ledger that was made for many calls.
    pub fn with_ledger(self, ledger: Ledger) -> Self {
        Trial { ledger, ..self }
    }

    /// Runs these of its processes as processes of the system, which can be killed.
    pub fn with_elsewhere(self, elsewhere: &'static [&'static str]) -> Self {
        Trial { elsewhere, ..self }
    }

    /// Has a second service beside `work`, `twin`, which is the same, and apart in a process of that name.
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
            .expect("a string takes all");
        }
        for (number, args) in callers.iter().enumerate() {
            write!(
                file,
                "[program.caller{number}]\nwasm = \"caller.wasm\"\nlog = \"1GiB\"\nargs = {args}\n"
            )
            .expect("a string takes all");
        }
        let app = App::new(&file).with("work.wasm", callee.wasm());
        let app = app
            .with("caller.wasm", &*CALLER)
            .with("store.wasm", &*STORE);
        let front: Vec<_> = (0..callers.len())
            .map(|number| format!("caller{number}"))
            .collect();
        let (mut back, mut deep) = ("work".to_owned(), "store".to_owned());
        let with_pair = if self.elsewhere.is_empty() {
            &mut back
        } else {
            &mut deep
        };
        NEIGHBOURS
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

    /// Starts it.
    #[track_caller]
    pub fn start(self) -> Running {
        self.start_with(|_, _| {})
    }

    /// Starts it, and shows `look` the ledger after each line that went into it, on the thread that logged the line.
    #[track_caller]
    pub fn start_with(self, look: impl Fn(Entry, &Ledger) + Send + Sync + 'static) -> Running {
        let ((app, nats), callers) = (self.app(), self.callers.len());
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
            // That a caller has finished is waited for.
            entry.is_some_and(|entry| entry != Entry::Sent)
        };
        let beside = BesideNeighbours::new(app)
            .with_settings(|_| settings)
            .with_elsewhere(self.elsewhere)
            .start(take);
        Running {
            beside,
            nats,
            counted,
            callers,
            log: Vec::new(),
        }
    }

    /// Runs it until all callers have made all their calls.
    #[track_caller]
    pub fn run(self) -> Ended {
        self.start().end()
    }
}

/// The ledger, and who waits for what is in it.
#[derive(Debug)]
struct Counted {
    ledger: Mutex<Ledger>,
    grown: Condvar,
}

/// How long calls may stay in the tables of the hosts after the last caller has finished. The
/// longest legitimate reason is a call whose caller was killed: it stays until its deadline.
const LEAK_PATIENCE: Duration = Duration::from_secs(20);

/// A trial that runs.
#[derive(Debug)]
pub struct Running {
    beside: StartedBeside,
    nats: Option<Nats>,
    counted: Arc<Counted>,
    /// Callers that have not said that they have finished.
    callers: usize,
    log: Vec<Captured>,
}

/// What it came to.
#[derive(Debug)]
pub struct Ended {
    /// What the calls came to.
    pub report: Report,
    /// Those who had calls in flight when nobody should have had any.
    pub pending: Vec<Pending>,
    /// How the pair and the deployment fared, and what was logged besides.
    pub ran: Ran,
}

impl Running {
    /// Waits for a line that contains `text`.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> &Captured {
        let lines = self.beside.log.until(text);
        lines.into_iter().for_each(|line| self.note(line));
        self.log.last().expect("the last one is it")
    }

    /// Waits until it holds of the ledger.
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
                "it does not hold after {DEADLINE:?}: {}",
                ledger.report(0)
            );
        }
    }

    /// How many calls were begun until now.
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
        // The pair says something all the time.
        if !NEIGHBOURS.contains(&&*line.service) {
            self.log.push(line);
        }
    }

    /// The files of the deployment.
    pub fn app(&self) -> &App {
        &self.beside.app
    }

    /// What joins its processes.
    ///
    /// # Panics
    ///
    /// If it is together.
    pub fn nats(&mut self) -> &mut Nats {
        self.nats.as_mut().expect("it is apart")
    }

    /// A process that runs elsewhere.
    pub fn elsewhere(&mut self, name: &str) -> &mut Elsewhere {
        self.beside.hosts.elsewhere(name)
    }

    /// Has one caller less to wait for, since that one is lost.
    pub fn lose_caller(&mut self) {
        self.callers -= 1;
    }

    /// Waits until all callers have finished, looks for what is left in the tables of the hosts, and stops them.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let (mut ended, mut since) = (0, Instant::now());
        while self.callers > 0 {
            let line = self.beside.log.next_line();
            self.note(line);
            // However many calls there are: as long as calls end.
            let ended_by_now = self.counted.ledger.lock().ended();
            if ended_by_now != ended {
                (ended, since) = (ended_by_now, Instant::now());
            }
            assert!(
                since.elapsed() < DEADLINE,
                "after {ended} calls none ends any more"
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

    /// Who has calls in flight that are not the pair's, when nobody had any for a moment or `LEAK_PATIENCE` has passed.
    fn pending(&self) -> Vec<Pending> {
        let until = Instant::now() + LEAK_PATIENCE;
        loop {
            let mut pending = self.beside.hosts.pending();
            pending
                .retain(|pending| calls_of(pending) > 0 && !NEIGHBOURS.contains(&&*pending.guest));
            if pending.is_empty() || Instant::now() > until {
                return pending;
            }
            std::thread::yield_now();
        }
    }
}

fn calls_of(pending: &Pending) -> usize {
    // A guest that is in a turn has not come to rest.
    pending.inbound + pending.outbound.unwrap_or(1)
}

impl Ended {
    /// Checks that every promise was kept to everybody.
    #[track_caller]
    pub fn assert_kept(&self) -> &Report {
        let Ended {
            report,
            pending,
            ran,
        } = self;
        assert!(report.is_kept(), "\n{report}\n{pending:?}\n{}", self.log());
        assert_eq!(
            ran.neighbours.failed,
            0,
            "{:?}\n{}",
            ran.neighbours,
            self.log()
        );
        assert!(ran.neighbours.answered >= 100, "{:?}", ran.neighbours);
        report
    }

    /// The log without what the ledger has taken, for people.
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
            writeln!(log, "{service} {call} {method} {message}").expect("a string takes all");
        }
        log
    }
}
