//! The kill matrix: every way to fail, at every moment of a guest's life. The log names the guest,
//! its callers get the promised errors, and no other guest is affected.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::{App, Capture, Captured, Deployed, WithControlPair, code_cache, go_guest, guest};
use load::{COMPILE_TIME_MAX, Callee, Ended, Report, Trial};
use parigot_host::deployment::Deployment;
use parigot_host::{Outcome, Settings, StartError};

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Trap,
    Loop,
    Fill,
    Overflow,
    Grow,
    Leave0,
    Leave7,
    Panic,
}

/// The moment of the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Start,
    FirstTurn,
    Ready,
    Method,
    Background,
    Holding,
    /// In a method of a guest in Go.
    GoMethod,
    GoBackground,
}

const DEEDS: [Deed; 8] = [
    Deed::Trap,
    Deed::Loop,
    Deed::Fill,
    Deed::Overflow,
    Deed::Grow,
    Deed::Leave0,
    Deed::Leave7,
    Deed::Panic,
];

/// Moments before the guest serves calls.
const BEFORE: [Moment; 3] = [Moment::Start, Moment::FirstTurn, Moment::Ready];

/// Moments while the guest serves calls.
const WHILE: [Moment; 5] = [
    Moment::Method,
    Moment::Background,
    Moment::Holding,
    Moment::GoMethod,
    Moment::GoBackground,
];

/// The memory limit of the service.
const MEMORY: &str = "memory = '32MiB'";

#[test]
fn every_failure_at_every_moment_is_contained() {
    check_matrix(Deployed::Together, &[&BEFORE[..], &WHILE].concat());
}

/// Callers in another process get the same errors as callers in the same process. A guest that
/// fails before it serves calls has no callers, so these moments are left out.
#[test]
fn every_failure_is_contained_between_processes() {
    check_matrix(Deployed::Apart, &WHILE);
}

#[track_caller]
fn check_matrix(deployed: Deployed, moments: &[Moment]) {
    let cells: Vec<_> = moments
        .iter()
        .flat_map(|moment| DEEDS.map(|deed| (deed, *moment)))
        .collect();
    let complaints = run_beside_a_pair(|| try_all(deployed, &cells));
    let mut table = format!("{:<12}", "");
    DEEDS.iter().for_each(|deed| {
        write!(table, "{:>9}", format!("{deed:?}")).expect("writing to a string never fails")
    });
    for (index, (_, moment)) in cells.iter().enumerate() {
        if index % DEEDS.len() == 0 {
            write!(table, "\n{:<12}", format!("{moment:?}"))
                .expect("writing to a string never fails");
        }
        table.push_str(if complaints[index].is_some() {
            "   BROKEN"
        } else {
            "     kept"
        });
    }
    println!("{table}");
    let broken: Vec<_> = complaints.into_iter().flatten().collect();
    assert!(broken.is_empty(), "{table}\n\n{}", broken.join("\n\n"));
}

/// Runs the cells, four at a time, and returns the error of each cell that failed.
fn try_all(deployed: Deployed, cells: &[(Deed, Moment)]) -> Vec<Option<String>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*cell, complaint(deployed, *cell)));
        }
        done
    };
    let done: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("panics are caught"))
            .collect()
    });
    let of = |cell| {
        done.iter()
            .find(|(other, _)| other == cell)
            .and_then(|(_, complaint)| complaint.clone())
    };
    cells.iter().map(of).collect()
}

fn complaint(deployed: Deployed, (deed, moment): (Deed, Moment)) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(|| try_cell(deployed, deed, moment))).err()?;
    let text = panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
    Some(format!(
        "{deed:?}, {moment:?}: {}",
        text.unwrap_or_default()
    ))
}

/// Runs the control pair in a deployment of its own meanwhile, because the deployments of some
/// cells do not start, or end at once.
fn run_beside_a_pair<R>(run: impl FnOnce() -> R) -> R {
    let pair = WithControlPair::new(App::new("")).start(|_| false);
    let result = run();
    let ran = pair.stop(Vec::new());
    assert_eq!(ran.pair.failed, 0, "{:?}", ran.pair);
    result
}

fn try_cell(deployed: Deployed, deed: Deed, moment: Moment) {
    let running = |callee, keys| {
        let keys = format!("{MEMORY}\n{keys}");
        check_running(deed, moment, Trial::of(deployed, callee, &keys))
    };
    match moment {
        Moment::Start => check_refused(deed, &start_that_breaks(deed)),
        Moment::FirstTurn if !deed.leaves() => check_refused(deed, &first_turn_that_breaks(deed)),
        Moment::FirstTurn => check_start_failed(deed, &first_turn_that_breaks(deed)),
        Moment::Ready => check_start_failed(deed, &ready_that_breaks(deed)),
        Moment::Method | Moment::Background => running(Callee::Rust, ""),
        Moment::Holding => running(Callee::Rust, "env = { HOLDING = 'yes' }"),
        Moment::GoMethod | Moment::GoBackground => running(Callee::Go, ""),
    }
}

impl Moment {
    fn is_in_go(self) -> bool {
        matches!(self, Moment::GoMethod | Moment::GoBackground)
    }

    fn is_in_background(self) -> bool {
        matches!(self, Moment::Background | Moment::GoBackground)
    }
}

impl Deed {
    fn leaves(self) -> bool {
        matches!(self, Deed::Leave0 | Deed::Leave7)
    }

    /// Returns the deed's name in jobs, variables and arguments.
    fn word(self) -> String {
        match self {
            Deed::Leave0 => "Leave:0".into(),
            Deed::Leave7 => "Leave:7".into(),
            deed => format!("{deed:?}"),
        }
    }

    /// Returns the text that the host logs for this deed at that moment.
    fn told_at(self, moment: Moment) -> &'static str {
        match self {
            // Go's runtime names the reason itself.
            Deed::Trap if moment.is_in_go() => "sync: unlock of unlocked mutex",
            deed => deed.told(),
        }
    }

    /// Returns the text that the host logs for this deed at most moments.
    fn told(self) -> &'static str {
        match self {
            Deed::Trap => "trapped: wasm trap: wasm `unreachable` instruction executed",
            Deed::Loop | Deed::Fill => "held its thread beyond its budget of 50 ms",
            Deed::Overflow => "trapped: ",
            Deed::Grow => "(an allocation beyond its `memory`, 32 MiB, had failed)",
            Deed::Leave0 => "exited with status 0",
            Deed::Leave7 => "exited with status 7",
            Deed::Panic => "told to panic",
        }
    }
}

// Moments before the guest serves calls.

/// Returns an app whose service fails while it is instantiated. Where WebAssembly text cannot
/// express the deed, the service is in Go and fails before `main`.
fn start_that_breaks(deed: Deed) -> App {
    let body = match deed {
        Deed::Trap => "unreachable",
        Deed::Loop => "(loop (br 0))",
        Deed::Fill => {
            "(loop (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x1000000)) (br 0))"
        }
        Deed::Overflow => "(drop (call $deeper))",
        Deed::Grow => {
            "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable"
        }
        Deed::Leave0 | Deed::Leave7 | Deed::Panic => {
            let env = format!("env = {{ INIT = '{}' }}", deed.word());
            return app(&env, &go_guest("worker"));
        }
    };
    let text = format!(
        r#"(module
            (memory (export "memory") 256)
            (func $deeper (result i32) (i32.add (call $deeper) (i32.const 1)))
            (func $start {body})
            (start $start)
            (func (export "parigot_abi") (result i32) (i32.const 0x20000))
            (func (export "parigot_open") (result i32) unreachable)
            (func (export "parigot_inbox") (param i32 i32) unreachable)
            (func (export "parigot_turn") (param i32 i32 i32) (result i32) unreachable))"#
    );
    app(
        "",
        &wat::parse_str(text).expect("the text must be a valid module"),
    )
}

fn first_turn_that_breaks(deed: Deed) -> App {
    let deed = if deed.leaves() {
        deed.word().to_lowercase()
    } else {
        deed.word()
    };
    app(&format!("args = ['first/{deed}']"), &guest("faulty"))
}

fn ready_that_breaks(deed: Deed) -> App {
    app(
        &format!("env = {{ READY = '{}' }}", deed.word()),
        &guest("worker"),
    )
}

/// Returns an app with the service `work`, with these keys and this wasm file, and a caller that
/// requires it.
fn app(keys: &str, work: &[u8]) -> App {
    let file = format!(
        "[service.work]\nwasm = 'work.wasm'\n{MEMORY}\n{keys}\n[service.store]\nwasm = \
         'store.wasm'\n\
         [program.caller]\nwasm = 'caller.wasm'\nargs = ['Nothing']\n"
    );
    App::new(&file)
        .with("work.wasm", work)
        .with("store.wasm", guest("store"))
        .with("caller.wasm", guest("caller"))
}

fn start(app: &App) -> (Result<parigot_host::Running, StartError>, Capture) {
    let deployment = Deployment::read(&app.file()).expect("the deployment file must be valid");
    let settings = Settings {
        workers: 2,
        code_cache: Some(code_cache()),
        compile_time_max: COMPILE_TIME_MAX,
        ..Settings::default()
    };
    Capture::during(|| parigot_host::start(&deployment, settings))
}

/// Checks that nothing starts, and that the error names the guest and the failure.
#[track_caller]
fn check_refused(deed: Deed, app: &App) {
    let (refused, _) = start(app);
    let error = refused.expect_err("a guest that fails before its manifest cannot start");
    let chain = chain(&error);
    assert!(chain.starts_with("`work`"), "{chain}");
    let told = match deed {
        // There is no control block yet, or it has no panic message.
        Deed::Trap | Deed::Panic if !chain.contains("panicked") => {
            "wasm `unreachable` instruction executed"
        }
        Deed::Overflow if !chain.contains("trapped") => "call depth exceeds the stack of 1 MiB",
        deed => deed.told(),
    };
    assert!(chain.contains(told), "{chain}");
}

fn chain(error: &StartError) -> String {
    let errors = std::iter::successors(Some(error as &dyn std::error::Error), |error| {
        error.source()
    });
    errors
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Checks that the start fails, and that the log names the guest, the failure, and the guest that
/// waits for it.
#[track_caller]
fn check_start_failed(deed: Deed, app: &App) {
    let (running, log) = start(app);
    let outcome: Outcome = running
        .expect("a guest that has declared itself must be started")
        .wait();
    let log = log.rest();
    assert_eq!(outcome.status, 1, "{log:#?}");
    let says = |text: &str, service: &str| {
        log.iter()
            .any(|line| line.service == service && line.message.contains(text))
    };
    assert!(says(deed.told(), "work"), "{log:#?}");
    assert!(
        says(
            "cannot start: it requires a service of work, which has ended",
            "caller"
        ),
        "{log:#?}"
    );
}

// Moments while the guest serves calls.

/// Makes twenty calls that are answered, two that stay in flight, one that makes the service fail,
/// and more after that. Checks how they end.
#[track_caller]
fn check_running(deed: Deed, moment: Moment, trial: Trial) {
    let in_background = moment.is_in_background();
    let harm = if in_background {
        format!("{}~", deed.word())
    } else {
        deed.word()
    };
    // A service that exits with status 0 is not restarted.
    let stays_away = deed == Deed::Leave0;
    let after = if stays_away { "Nothing*5" } else { "Again" };
    let ended = trial
        .caller(&format!(
            "--lanes 3 --deadline-ms 20000 Nothing*20 Hang*2 {harm} {after}"
        ))
        .run();

    check_counts(deed, in_background, &ended);
    check_named(deed, moment, &ended);
    if moment == Moment::Holding {
        assert!(
            ended
                .ran
                .messages_of("store")
                .any(|line| line == "let go of 0/22"),
            "{}",
            ended.log()
        );
    }
}

/// Checks the classes of the calls of [`check_running`], and whether the service is restarted.
#[track_caller]
fn check_counts(deed: Deed, in_background: bool, ended: &Ended) {
    let Report {
        ok,
        refused,
        unknown,
        ..
    } = *ended.assert_kept();
    // In the background the call that makes the service fail is answered. Then the next call may
    // have been made before the failure, and is lost.
    let (answered, lost) = if in_background {
        (21, 2..=3)
    } else {
        (20, 3..=3)
    };
    assert!(lost.contains(&unknown), "{}\n{}", ended.report, ended.log());
    if deed == Deed::Leave0 {
        // In the background the failure may come after some of the five calls.
        let answered = if in_background {
            answered..=answered + 5
        } else {
            answered..=answered
        };
        assert!(
            answered.contains(&ok) && ok + refused + unknown == 28,
            "{}\n{}",
            ended.report,
            ended.log()
        );
    } else {
        // Up to three lanes repeat the call until the service is restarted.
        assert!(
            (answered + 1..=answered + 3).contains(&ok),
            "{}\n{}",
            ended.report,
            ended.log()
        );
        let is_restarted = ended
            .ran
            .messages_of("work")
            .any(|message| message.starts_with("restarted after "));
        // In the background the last call may be answered before the failure. The caller is then
        // done before the restart.
        let is_done_before = in_background && refused == 0 && unknown == 2;
        assert!(is_restarted || is_done_before, "{}", ended.log());
    }
}

/// Checks that the log names the guest, the failure, the call and the method.
#[track_caller]
fn check_named(deed: Deed, moment: Moment, ended: &Ended) {
    let in_call = !moment.is_in_background();
    let is_it = |line: &Captured| {
        let names_method =
            line.method == "load.v1.Work/Run" || line.message.contains("in load.v1.Work/Run");
        let names_call = line.call.starts_with("cal_");
        let tells = line.service == "work" && line.message.contains(deed.told_at(moment));
        tells && (names_method, names_call) == (in_call, in_call)
    };
    assert!(
        ended.ran.log.iter().any(is_it),
        "no line names the failure as expected:\n{}",
        ended.log()
    );
}
