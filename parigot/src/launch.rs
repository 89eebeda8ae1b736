//! `parigot run` for a deployment that is spread over processes: each runs as a child of this one.
//!
//! A child is `parigot run --process <name>`, as a person would start it, and is on a leash besides: its stdin is a pipe, of which this process
//! holds the other end. A child whose leash is let go of stops its guests in order; so none is left behind, however this process ends. Each is in a
//! process group of its own: else a terminal would send Ctrl-C to all of them, also to those whose turn to leave has not come.

use std::io::{self, Read};
use std::process::{Child, ChildStderr, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use parigot_host::deployment::{Deployment, Process, Role};
use parigot_host::{GuestReport, StartProblem, check};

use crate::Run;
use crate::check::process_of;
use crate::interrupt::{INTERRUPTED, Interrupt, Wish};
use crate::log::{self, FORCE_COLOUR, Format};
use crate::run::{FAILED, refused, settings};

/// How long a child may take to end once its guests have had their time.
const GRACE: Duration = Duration::from_secs(5);

/// Runs each process of a deployment as a child, and returns the exit status.
pub(crate) fn launch(run: &Run, whole: &Deployment, interrupt: &Arc<Interrupt>) -> ExitCode {
    // What is wrong is told of the whole, once, and before anything runs. The children find in the cache what was compiled for it.
    let settings = interrupt.follow_start(settings(&run.compiling, run.log_format == Format::Text));
    let report = check(whole, &settings);
    // In one process a call that does not fit fails alone; between processes who offers it is not listened to, and the start would wait in vain.
    let process_of = |guest: &str| process_of(guest, &whole.processes);
    let fails_alone = |problem: &StartProblem| matches!(problem, StartProblem::Schema { guest, exporter, .. } if process_of(guest) == process_of(exporter));
    let mut problems = report
        .problems
        .iter()
        .filter(|problem| !fails_alone(problem))
        .peekable();
    if problems.peek().is_some() {
        return refused(run, problems, whole);
    }
    let (sender, events) = channel();
    let wishes = sender.clone();
    // When all have ended nobody listens any more.
    interrupt.stop_with(move |wish| _ = wishes.send(Event::Wish(wish)));

    let mut family = Family::new(whole.shutdown_deadline);
    for process in in_order(whole, &report.guests) {
        let has_programs =
            of_process(process, &report.guests).any(|guest| guest.role == Role::Program);
        if let Err(error) = family.start(run, process.name(), has_programs, &sender) {
            tracing::error!("process {} cannot be started: {error}", process.name());
            family.fail();
            break;
        }
    }
    let status = family.run(&events);
    if interrupt.came() {
        INTERRUPTED.into()
    } else {
        status.into()
    }
}

/// Processes in the order in which the last guest of each is launched.
fn in_order<'a>(whole: &'a Deployment, guests: &[GuestReport]) -> Vec<&'a Process> {
    let mut processes: Vec<_> = whole.processes.iter().collect();
    processes.sort_by_key(|process| {
        of_process(process, guests)
            .filter_map(|guest| guest.step)
            .max()
    });
    processes
}

fn of_process<'a>(
    process: &Process,
    guests: &'a [GuestReport],
) -> impl Iterator<Item = &'a GuestReport> {
    guests
        .iter()
        .filter(|guest| process.guests.contains(&guest.name))
}

/// What may happen while children run.
enum Event {
    /// Somebody wants the end.
    Wish(Wish),
    /// The member at that place has closed its stderr, so it has ended.
    Ended(usize),
}

/// The processes of a deployment.
struct Family {
    /// In the order in which they were started; they are stopped in the reverse one.
    members: Vec<Member>,
    /// The first that was not 0 of those that count.
    status: u8,
    /// Since when they are being stopped.
    stopping: Option<Instant>,
    shutdown_deadline: Duration,
}

/// A child. Its stdin is its leash.
struct Member {
    name: String,
    has_programs: bool,
    child: Child,
    has_ended: bool,
}

impl Family {
    fn new(shutdown_deadline: Duration) -> Self {
        Family {
            members: Vec::new(),
            status: 0,
            stopping: None,
            shutdown_deadline,
        }
    }

    fn start(
        &mut self,
        run: &Run,
        name: &str,
        has_programs: bool,
        events: &Sender<Event>,
    ) -> io::Result<()> {
        let mut child = command(run, name)?.spawn()?;
        let stderr = child.stderr.take().expect("it is a pipe");
        let (place, events) = (self.members.len(), events.clone());
        let forward = move || {
            forward(stderr);
            // Nobody listens any more if this process is about to end.
            let _ = events.send(Event::Ended(place));
        };
        tracing::debug!("process {name} is started, with the number {}", child.id());
        self.members.push(Member {
            name: name.to_owned(),
            has_programs,
            child,
            has_ended: false,
        });
        thread::Builder::new()
            .name(format!("parigot {name}"))
            .spawn(forward)
            .expect("a process may have a few threads");
        Ok(())
    }

    /// Waits until all have ended, and returns the exit status.
    fn run(mut self, events: &Receiver<Event>) -> u8 {
        while self.left().next().is_some() {
            match events.recv_timeout(self.patience()) {
                Ok(Event::Ended(place)) => self.ended(place),
                Ok(Event::Wish(Wish::Stop)) => self.stop(),
                Ok(Event::Wish(Wish::LeaveAtOnce)) => self.kill(),
                Err(_) => {} // its patience is over
            }
            self.urge();
        }
        self.status
    }

    fn ended(&mut self, place: usize) {
        let (is_stopping, all_serve) = (
            self.stopping.is_some(),
            self.members.iter().all(|member| !member.has_programs),
        );
        let member = &mut self.members[place];
        member.has_ended = true;
        let status = status(&member.name, member.child.wait());
        if is_stopping {
            return; // it does what it was told
        }
        let is_lost = !member.has_programs && status != 0;
        if is_lost {
            tracing::error!(
                "process {} has ended with status {status}, and its services are gone",
                member.name
            );
        }
        if self.status == 0 && (is_lost || member.has_programs) {
            self.status = status;
        }
        if is_lost || !self.left().any(|member| member.has_programs || all_serve) {
            self.stop();
        }
    }

    fn left(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.iter_mut().filter(|member| !member.has_ended)
    }

    /// Ends what has begun, for not all of it could be started.
    fn fail(&mut self) {
        self.status = FAILED;
        self.stop();
    }

    fn stop(&mut self) {
        self.stopping.get_or_insert_with(Instant::now);
        self.urge();
    }

    /// When those who were told to leave have had their time, and all are told; and when they are killed.
    fn bounds(&self) -> [Duration; 2] {
        [self.shutdown_deadline, self.shutdown_deadline * 2 + GRACE]
    }

    /// How long to wait for the next event.
    fn patience(&self) -> Duration {
        let rest = |since: Instant| {
            self.bounds()
                .into_iter()
                .find_map(|bound| bound.checked_sub(since.elapsed()))
        };
        self.stopping.and_then(rest).unwrap_or(Duration::MAX)
    }

    /// Tells one after the other to leave, those first that were started last, so that each finds what it requires until it is gone.
    fn urge(&mut self) {
        let Some(waited) = self.stopping.map(|since| since.elapsed()) else {
            return;
        };
        let [all_are_told, killed] = self.bounds();
        if waited >= killed {
            self.kill();
        } else if waited >= all_are_told {
            self.left()
                .for_each(|member| drop(member.child.stdin.take()));
        } else if let Some(last) = self.left().last() {
            drop(last.child.stdin.take());
        }
    }

    fn kill(&mut self) {
        // One that has ended by itself meanwhile needs no more.
        self.left().for_each(|member| drop(member.child.kill()));
    }
}

/// `parigot run --process <name>`, as this process was started.
fn command(run: &Run, name: &str) -> io::Result<Command> {
    let format = run
        .log_format
        .to_possible_value()
        .expect("no format is hidden");
    let mut command = Command::new(std::env::current_exe()?);
    command.args([
        "run",
        "--leashed",
        "--process",
        name,
        "--log-format",
        format.get_name(),
    ]);
    command.args(["--log-level", &run.log_level.to_string()]);
    command.args(["--compile-time", &run.compiling.compile_time.to_string()]);
    command.args(run.compiling.no_cache.then_some("--no-cache"));
    command.arg("--").arg(&run.file);
    if log::stderr_takes_colour() {
        command.env(FORCE_COLOUR, "1");
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Passes on whole lines, as many at once as there are: what a child writes at once stays together, so no other's line comes between.
fn forward(mut stderr: ChildStderr) {
    let (mut held, mut more) = (Vec::new(), vec![0; 64 << 10]);
    // One that cannot be read any more is one that has ended.
    while let Ok(bytes @ 1..) = stderr.read(&mut more) {
        held.extend_from_slice(&more[..bytes]);
        if let Some(end) = held.iter().rposition(|byte| *byte == b'\n') {
            let lines: Vec<u8> = held.drain(..=end).collect();
            log::STDERR.lines(&String::from_utf8_lossy(&lines));
        }
    }
    if !held.is_empty() {
        log::STDERR.lines(&format!("{}\n", String::from_utf8_lossy(&held)));
    }
}

/// The status of a child that has ended; [`FAILED`] for one that was killed.
fn status(name: &str, ended: io::Result<ExitStatus>) -> u8 {
    match ended.map(|status| status.code()) {
        Ok(Some(code)) => u8::try_from(code).unwrap_or(FAILED),
        Ok(None) => {
            tracing::error!("process {name} was killed");
            FAILED
        }
        Err(error) => {
            tracing::error!("how process {name} has ended is not known: {error}");
            FAILED
        }
    }
}
