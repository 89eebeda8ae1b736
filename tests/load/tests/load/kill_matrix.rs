//! Every way for a guest to break, at every moment of its life: it is named, its callers are told what was promised, and nobody else notices.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use e2e::{App, BesideNeighbours, Capture, Captured, Deployed, code_cache, go_guest, guest};
use load::{Callee, Ended, Report, Trial};
use parigot_host::deployment::Deployment;
use parigot_host::{Outcome, Settings, StartError};

/// A way to break.
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

/// When it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Start,
    FirstTurn,
    Ready,
    Method,
    Background,
    Holding,
    /// The same in Go.
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

/// Before it runs.
const BEFORE: [Moment; 3] = [Moment::Start, Moment::FirstTurn, Moment::Ready];

/// While it runs.
const WHILE: [Moment; 5] = [
    Moment::Method,
    Moment::Background,
    Moment::Holding,
    Moment::GoMethod,
    Moment::GoBackground,
];

/// What the service may take in every cell.
const MEMORY: &str = "memory = '32MiB'";

#[test]
fn every_way_to_break_at_every_moment_is_named_and_hurts_nobody_else() {
    check_matrix(Deployed::Together, &[&BEFORE[..], &WHILE].concat());
}

/// What breaks before it runs takes part in nothing. Afterwards callers in another process are told what those in its own would be.
#[test]
fn so_it_is_for_callers_in_another_process() {
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
    DEEDS
        .iter()
        .for_each(|deed| write!(table, "{:>9}", format!("{deed:?}")).expect("a string takes all"));
    for (place, (_, moment)) in cells.iter().enumerate() {
        if place % DEEDS.len() == 0 {
            write!(table, "\n{:<12}", format!("{moment:?}")).expect("a string takes all");
        }
        table.push_str(if complaints[place].is_some() {
            "   BROKEN"
        } else {
            "     kept"
        });
    }
    println!("{table}");
    let broken: Vec<_> = complaints.into_iter().flatten().collect();
    assert!(broken.is_empty(), "{table}\n\n{}", broken.join("\n\n"));
}

/// Tries the cells, some at once, and returns what there is to complain about in each.
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

/// Runs a pair of guests in a deployment of their own meanwhile, for the deployments of some cells do not start or end at once.
fn run_beside_a_pair<R>(run: impl FnOnce() -> R) -> R {
    let pair = BesideNeighbours::new(App::new("")).start(|_| false);
    let result = run();
    let ran = pair.stop(Vec::new());
    assert_eq!(ran.neighbours.failed, 0, "{:?}", ran.neighbours);
    result
}

fn try_cell(deployed: Deployed, deed: Deed, moment: Moment) {
    let running = |callee, keys| {
        check_running(
            deed,
            moment,
            Trial::of(deployed, callee, &format!("{MEMORY}\n{keys}")),
        )
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

    /// As jobs, variables and arguments name it.
    fn word(self) -> String {
        match self {
            Deed::Leave0 => "Leave:0".into(),
            Deed::Leave7 => "Leave:7".into(),
            deed => format!("{deed:?}"),
        }
    }

    /// What the host says of a guest that has done it at that moment.
    fn told_at(self, moment: Moment) -> &'static str {
        match self {
            // Go's runtime says why it cannot go on.
            Deed::Trap if moment.is_in_go() => "sync: unlock of unlocked mutex",
            deed => deed.told(),
        }
    }

    /// What it says of most.
    fn told(self) -> &'static str {
        match self {
            Deed::Trap => "trapped: wasm trap: wasm `unreachable` instruction executed",
            Deed::Loop | Deed::Fill => "held its thread for longer than its budget of 50 ms",
            Deed::Overflow => "trapped: ",
            Deed::Grow => "(it wanted more memory than its `memory`, 32 MiB)",
            Deed::Leave0 => "left with status 0",
            Deed::Leave7 => "left with status 7",
            Deed::Panic => "told to panic",
        }
    }
}

// Before it runs.

/// A service whose module breaks while it is instantiated; where that cannot be said in wasm, one whose Go runtime breaks before main.
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
            (func (export "parigot_abi") (result i32) (i32.const 0x10000))
            (func (export "parigot_open") (result i32) unreachable)
            (func (export "parigot_inbox") (param i32 i32) unreachable)
            (func (export "parigot_turn") (param i32 i32 i32) (result i32) unreachable))"#
    );
    app("", &wat::parse_str(text).expect("the text is a module"))
}

fn first_turn_that_breaks(deed: Deed) -> App {
    let deed = if deed.leaves() {
        deed.word().to_lowercase()
    } else {
        deed.word()
    };
    app(&format!("args = ['first/{deed}']"), &guest("rogue"))
}

fn ready_that_breaks(deed: Deed) -> App {
    app(
        &format!("env = {{ READY = '{}' }}", deed.word()),
        &guest("worker"),
    )
}

/// A service `work` with these keys, made of that, and a caller that waits for it.
fn app(keys: &str, work: &[u8]) -> App {
    let file = format!(
        "[service.work]\nwasm = 'work.wasm'\n{MEMORY}\n{keys}\n[service.store]\nwasm = 'store.wasm'\n\
         [program.caller]\nwasm = 'caller.wasm'\nargs = ['Nothing']\n"
    );
    App::new(&file)
        .with("work.wasm", work)
        .with("store.wasm", guest("store"))
        .with("caller.wasm", guest("caller"))
}

fn start(app: &App) -> (Result<parigot_host::Running, StartError>, Capture) {
    let deployment = Deployment::read(&app.file()).expect("the file is right");
    let settings = Settings {
        workers: 2,
        code_cache: Some(code_cache()),
        ..Settings::default()
    };
    Capture::during(|| parigot_host::start(&deployment, settings))
}

/// Nothing is started, and the error says who broke and how.
#[track_caller]
fn check_refused(deed: Deed, app: &App) {
    let (refused, _) = start(app);
    let error = refused.expect_err("a guest that breaks before it has declared itself is refused");
    let chain = chain(&error);
    assert!(chain.starts_with("`work`"), "{chain}");
    let told = match deed {
        // There is no control block yet, or nothing in it, where a text would be.
        Deed::Trap | Deed::Panic if !chain.contains("panicked") => {
            "wasm `unreachable` instruction executed"
        }
        Deed::Overflow if !chain.contains("trapped") => "its calls go deeper than a stack of 1 MiB",
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

/// The start fails, the log says who broke and how, and who waits in vain.
#[track_caller]
fn check_start_failed(deed: Deed, app: &App) {
    let (running, log) = start(app);
    let outcome: Outcome = running.expect("it has declared itself").wait();
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

// While it runs.

/// Twenty calls are answered, two are in flight, one breaks the service, and more follow.
#[track_caller]
fn check_running(deed: Deed, moment: Moment, trial: Trial) {
    let in_background = moment.is_in_background();
    let harm = if in_background {
        format!("{}~", deed.word())
    } else {
        deed.word()
    };
    // It has left of its own will: nobody restarts it.
    let stays_away = deed == Deed::Leave0;
    let after = if stays_away { "Nothing*5" } else { "Again" };
    let ended = trial
        .caller(&format!(
            "--lanes 3 --deadline-ms 20000 Nothing*20 Hang*2 {harm} {after}"
        ))
        .run();

    let Report {
        ok,
        refused,
        unknown,
        ..
    } = *ended.assert_kept();
    // The call that breaks it in the background is answered; then the next one may have been made before that, and is lost.
    let (answered, lost) = if in_background {
        (21, 2..=3)
    } else {
        (20, 3..=3)
    };
    assert!(lost.contains(&unknown), "{}\n{}", ended.report, ended.log());
    if stays_away {
        // In the background it may be at it after some of the five.
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
        // It was called again until it was there again, by up to three lanes.
        assert!(
            (answered + 1..=answered + 3).contains(&ok),
            "{}\n{}",
            ended.report,
            ended.log()
        );
        assert!(
            ended
                .ran
                .messages_of("work")
                .any(|message| message.starts_with("restarted after ")),
            "{}",
            ended.log()
        );
    }
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

/// The log says who broke, how, and in which call of which method.
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
        "it is not told as it should be:\n{}",
        ended.log()
    );
}
