//! A deployment whose calls are counted.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use e2e::{App, BesideNeighbours, Captured, DEADLINE, NEIGHBOURS, Ran, StartedBeside, go_guest, guest};
use parigot_host::Settings;
use parking_lot::Mutex;

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
#[derive(Debug)]
pub struct Trial {
    callee: Callee,
    keys: String,
    callers: Vec<String>,
    settings: Settings,
    ledger: Ledger,
}

impl Trial {
    /// One whose service has these keys in its table, beside that of its file; it may log as much as it will unless they say otherwise.
    pub fn of(callee: Callee, keys: &str) -> Self {
        let settings =
            Settings { workers: 2, seed: Some([7; 32]), code_cache: Some(e2e::code_cache()), ..Settings::default() };
        Trial { callee, keys: keys.to_owned(), callers: Vec::new(), settings, ledger: Ledger::default() }
    }

    /// Adds a caller with these arguments: see `tests/guests/caller`.
    pub fn caller(mut self, args: &str) -> Self {
        let number = self.callers.len();
        let args: Vec<_> =
            ["--caller", &number.to_string()].into_iter().chain(args.split(' ')).map(str::to_owned).collect();
        self.callers.push(format!("{args:?}"));
        self
    }

    /// Changes how the host runs.
    pub fn with_settings(self, change: impl FnOnce(Settings) -> Settings) -> Self {
        Trial { settings: change(self.settings), ..self }
    }

    /// Counts with a ledger that was made for many calls.
    pub fn with_ledger(self, ledger: Ledger) -> Self {
        Trial { ledger, ..self }
    }

    fn app(&self) -> App {
        static CALLER: LazyLock<Vec<u8>> = LazyLock::new(|| guest("caller"));
        static STORE: LazyLock<Vec<u8>> = LazyLock::new(|| guest("store"));
        let Trial { callee, keys, callers, .. } = self;
        let log = if keys.contains("log = ") { "" } else { "log = \"1GiB\"" };
        let mut file =
            format!("[service.store]\nwasm = \"store.wasm\"\n[service.work]\nwasm = \"work.wasm\"\n{log}\n{keys}\n");
        for (number, args) in callers.iter().enumerate() {
            let table = format!("[program.caller{number}]\nwasm = \"caller.wasm\"\nlog = \"1GiB\"\nargs = {args}\n");
            file.push_str(&table);
        }
        App::new(&file).with("work.wasm", callee.wasm()).with("caller.wasm", &*CALLER).with("store.wasm", &*STORE)
    }

    /// Starts it.
    #[track_caller]
    pub fn start(self) -> Running {
        self.start_with(|_, _| {})
    }

    /// Starts it, and shows `look` the ledger after each line that went into it, on the thread that logged the line.
    #[track_caller]
    pub fn start_with(self, look: impl Fn(Entry, &Ledger) + Send + Sync + 'static) -> Running {
        let (app, callers) = (self.app(), self.callers.len());
        let ledger = Arc::new(Mutex::new(self.ledger));
        let settings = self.settings;
        let taking = Arc::clone(&ledger);
        let take = move |line: &Captured| {
            let mut ledger = taking.lock();
            let entry = ledger.read(&line.message);
            entry.into_iter().for_each(|entry| look(entry, &ledger));
            // That a caller has finished is waited for.
            entry.is_some_and(|entry| entry != Entry::Sent)
        };
        let beside = BesideNeighbours::new(app).with_settings(|_| settings).start(take);
        Running { beside, ledger, callers, log: Vec::new() }
    }

    /// Runs it until all callers have made all their calls.
    #[track_caller]
    pub fn run(self) -> Ended {
        self.start().end()
    }
}

/// A trial that runs.
#[derive(Debug)]
pub struct Running {
    beside: StartedBeside,
    ledger: Arc<Mutex<Ledger>>,
    /// Callers that have not said that they have finished.
    callers: usize,
    log: Vec<Captured>,
}

/// What it came to.
#[derive(Debug)]
pub struct Ended {
    /// What the calls came to.
    pub report: Report,
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

    fn note(&mut self, line: Captured) {
        if line.message.starts_with("load: sent ") {
            self.callers -= 1;
        }
        // The pair says something all the time.
        if !NEIGHBOURS.contains(&&*line.service) {
            self.log.push(line);
        }
    }

    /// The folder of the deployment.
    pub fn app(&self) -> &App {
        &self.beside.app
    }

    /// Has one caller less to wait for, since that one is lost.
    pub fn lose_caller(&mut self) {
        self.callers -= 1;
    }

    /// Waits until all callers have finished, looks for what is left in the tables of the host, and stops it.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let (mut ended, mut since) = (0, Instant::now());
        while self.callers > 0 {
            let line = self.beside.log.next_line();
            self.note(line);
            // However many calls there are: as long as calls end.
            let ended_by_now = self.ledger.lock().ended();
            if ended_by_now != ended {
                (ended, since) = (ended_by_now, Instant::now());
            }
            assert!(since.elapsed() < DEADLINE, "after {ended} calls none ends any more");
        }
        let leaked = self.leaked();
        let Running { beside, ledger, log, .. } = self;
        let ran = beside.stop(log);
        Ended { report: ledger.lock().report(leaked), ran }
    }

    /// How many calls are in flight that are not the pair's, when there were none for a moment or a second has passed.
    fn leaked(&self) -> u64 {
        let until = Instant::now() + Duration::from_secs(1);
        loop {
            let pending = self.beside.running.pending();
            let pending = pending.iter().filter(|pending| !NEIGHBOURS.contains(&&*pending.guest));
            // A guest that is in a turn has not come to rest.
            let count = pending.map(|pending| pending.inbound + pending.outbound.unwrap_or(1)).sum::<usize>() as u64;
            if count == 0 || Instant::now() > until {
                return count;
            }
            std::thread::yield_now();
        }
    }
}

impl Ended {
    /// Checks that every promise was kept to everybody.
    #[track_caller]
    pub fn assert_kept(&self) -> &Report {
        let Ended { report, ran } = self;
        assert!(report.is_kept(), "\n{report}\n{}", self.log());
        assert_eq!(ran.neighbours.failed, 0, "{:?}\n{}", ran.neighbours, self.log());
        assert!(ran.neighbours.answered >= 100, "{:?}", ran.neighbours);
        report
    }

    /// The log without what the ledger has taken, for people.
    pub fn log(&self) -> String {
        let mut log = String::new();
        for Captured { service, call, message, method, .. } in &self.ran.log {
            writeln!(log, "{service} {call} {method} {message}").expect("a string takes all");
        }
        log
    }
}
