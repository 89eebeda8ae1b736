//! `parigot run` of a deployment with several processes: each process is a child of this one.
//!
//! A child is `parigot run --process <name>`, as you would start it, plus `--exit-with-stdin`: its
//! stdin is a pipe whose other end this process holds. When the pipe closes, the child stops its
//! guests in order, so no child outlives this process, whichever way this process ends. Each child
//! has a process group of its own, because a terminal sends Ctrl-C to a whole group, and the
//! children are stopped one by one. The exception is a child whose programs read a terminal: the
//! child gets Ctrl-C as well, and stops its guests itself.

#[cfg(unix)]
use std::io::IsTerminal;
use std::io::{self, Read};
use std::process::{Child, ChildStderr, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use parigot_host::deployment::{Deployment, Process, Role, process_of};
use parigot_host::{GuestReport, StartProblem, ThreadError, check};

use crate::cli::Run;
use crate::exit_status::{self, Ended, FAILED};
use crate::host_settings::settings;
use crate::interrupt::{Interrupt, ShutdownRequest};
use crate::log::Format;
use crate::report::start_refused;
use crate::stderr::{FORCE_COLOUR, STDERR, takes_colour};
use crate::stdin::InheritedStdin;
use crate::thread;

/// Time from the end of the shutdown deadlines until children are killed.
const GRACE: Duration = Duration::from_secs(5);

/// Runs each process of a deployment as a child, and returns the exit status. The process of
/// `program` receives the arguments after `--`.
pub(crate) fn run(
    run: &Run,
    whole: &Deployment,
    program: Option<&str>,
    interrupt: &Arc<Interrupt>,
) -> ExitCode {
    // Problems are reported once, for the whole deployment, before any child starts. The children
    // find the compiled code in the cache.
    let settings = interrupt.follow_start(settings(&run.compiling, run.log_format == Format::Text));
    let report = check(whole, &settings);
    let mut problems = report
        .problems
        .iter()
        .filter(|problem| !fails_call_by_call(problem, &whole.processes))
        .peekable();
    if problems.peek().is_some() {
        return start_refused(problems, whole, &run.style());
    }
    let (sender, events) = channel();
    let requests = sender.clone();
    // The receiver is gone once all children have ended; then there is nothing to stop.
    interrupt.stop_with(move |request| _ = requests.send(Event::Shutdown(request)));

    let mut group = ProcessGroup::new(whole.shutdown_deadline);
    for process in in_launch_order(whole, &report.guests) {
        let has_programs =
            guests_of(process, &report.guests).any(|guest| guest.role == Role::Program);
        let program = program.filter(|name| process.guests.iter().any(|guest| guest == name));
        let started = stdin_for(process, &report.guests).and_then(|stdin| {
            let command = command(run, process.name(), program, stdin.as_ref())?;
            group.start(command, process.name(), has_programs, &sender)
        });
        if let Err(error) = started {
            tracing::error!("cannot start process {}: {error}", process.name());
            group.fail();
            break;
        }
    }
    exit_status::of_outcome(group.run(&events), interrupt.signal())
}

/// Returns whether a problem makes single calls fail, and not the start.
///
/// Within a process only the calls with an incompatible schema fail. Between processes an exporter
/// with an incompatible schema is ignored, so that the start would wait for another one in vain.
fn fails_call_by_call(problem: &StartProblem, processes: &[Process]) -> bool {
    let StartProblem::Schema {
        guest, exporter, ..
    } = problem
    else {
        return false;
    };
    let home = |guest: &str| process_of(guest, processes).map(Process::name);
    home(guest) == home(exporter)
}

/// Returns the processes in the order in which the last guest of each is launched.
fn in_launch_order<'a>(whole: &'a Deployment, guests: &[GuestReport]) -> Vec<&'a Process> {
    let mut processes: Vec<_> = whole.processes.iter().collect();
    processes.sort_by_key(|process| {
        guests_of(process, guests)
            .filter_map(|guest| guest.step)
            .max()
    });
    processes
}

/// Returns stdin for a process with a guest that reads it.
///
/// If several processes read stdin, the operating system decides which of them gets some input.
fn stdin_for(process: &Process, guests: &[GuestReport]) -> io::Result<Option<InheritedStdin>> {
    let mut requires = guests_of(process, guests).flat_map(|guest| &guest.requires);
    // The host exports one service, standard input and output.
    if requires.any(|required| required.is_of_host) {
        InheritedStdin::open()
    } else {
        Ok(None)
    }
}

fn guests_of<'a>(
    process: &Process,
    guests: &'a [GuestReport],
) -> impl Iterator<Item = &'a GuestReport> {
    guests
        .iter()
        .filter(|guest| process.guests.contains(&guest.name))
}

/// Event while children run.
enum Event {
    /// A signal asks for a shutdown.
    Shutdown(ShutdownRequest),
    /// The child at this index closed its stderr, so it has ended.
    Ended(usize),
}

/// The child processes of a deployment.
struct ProcessGroup {
    /// In the order of their start; they are stopped in reverse.
    children: Vec<ChildProcess>,
    /// The first status that is not 0 among the children that decide.
    status: u8,
    /// A child was killed, or its stop interrupted work.
    was_cut_off: bool,
    /// Start of the shutdown, if one is under way.
    stopping: Option<Instant>,
    shutdown_deadline: Duration,
}

/// One child process. Closing its stdin stops it.
struct ChildProcess {
    name: String,
    has_programs: bool,
    child: Child,
    has_ended: bool,
}

impl ProcessGroup {
    fn new(shutdown_deadline: Duration) -> Self {
        ProcessGroup {
            children: Vec::new(),
            status: 0,
            was_cut_off: false,
            stopping: None,
            shutdown_deadline,
        }
    }

    fn start(
        &mut self,
        mut command: Command,
        name: &str,
        has_programs: bool,
        events: &Sender<Event>,
    ) -> io::Result<()> {
        let mut child = command.spawn().map_err(|error| match error.kind() {
            // A process is a thread, too.
            io::ErrorKind::WouldBlock => ThreadError::new("main", &error).into(),
            _ => error,
        })?;
        let stderr = child.stderr.take().expect("stderr must be a pipe");
        let index = self.children.len();
        let events = events.clone();
        let forward = move || {
            forward(stderr);
            // The receiver is gone if this process is about to end.
            let _ = events.send(Event::Ended(index));
        };
        if let Err(error) = thread::spawn(&format!("parigot {name}"), forward) {
            // No thread would report the end of the child.
            child.kill()?;
            child.wait()?;
            return Err(error.into());
        }
        tracing::debug!("started process {name}, pid {}", child.id());
        self.children.push(ChildProcess {
            name: name.to_owned(),
            has_programs,
            child,
            has_ended: false,
        });
        Ok(())
    }

    /// Waits until all children have ended.
    fn run(mut self, events: &Receiver<Event>) -> Ended {
        while self.left().next().is_some() {
            match events.recv_timeout(self.time_to_next_bound()) {
                Ok(Event::Ended(index)) => self.ended(index),
                Ok(Event::Shutdown(ShutdownRequest::Stop)) => self.stop(),
                Ok(Event::Shutdown(ShutdownRequest::Exit)) => self.kill(),
                Err(_) => {} // the next bound of the shutdown has passed
            }
            self.advance_shutdown();
        }
        Ended {
            status: self.status,
            was_cut_off: self.was_cut_off,
        }
    }

    fn ended(&mut self, index: usize) {
        let is_stopping = self.stopping.is_some();
        let all_serve = self.children.iter().all(|child| !child.has_programs);
        let child = &mut self.children[index];
        child.has_ended = true;
        let status = status(&child.name, child.child.wait());
        if is_stopping {
            // The child stopped on request, as by SIGTERM.
            self.was_cut_off |= status != 0;
            return;
        }
        let is_lost = !child.has_programs && status != 0;
        if is_lost {
            tracing::error!(
                "process {} ended with status {status}; its services are gone",
                child.name
            );
        }
        if self.status == 0 && (is_lost || child.has_programs) {
            self.status = status;
        }
        if is_lost || !self.left().any(|child| child.has_programs || all_serve) {
            self.stop();
        }
    }

    fn left(&mut self) -> impl Iterator<Item = &mut ChildProcess> {
        self.children.iter_mut().filter(|child| !child.has_ended)
    }

    /// Stops the children that were started, since another one could not be.
    fn fail(&mut self) {
        self.status = FAILED;
        self.stop();
    }

    fn stop(&mut self) {
        self.stopping.get_or_insert_with(Instant::now);
        self.advance_shutdown();
    }

    /// Returns the two bounds of a shutdown: when all remaining children are stopped at once, and
    /// when they are killed.
    fn bounds(&self) -> [Duration; 2] {
        [self.shutdown_deadline, self.shutdown_deadline * 2 + GRACE]
    }

    /// Returns how long to wait for an event until the next bound of the shutdown.
    fn time_to_next_bound(&self) -> Duration {
        let rest = |since: Instant| {
            self.bounds()
                .into_iter()
                .find_map(|bound| bound.checked_sub(since.elapsed()))
        };
        self.stopping.and_then(rest).unwrap_or(Duration::MAX)
    }

    /// Stops the children one by one in reverse order, so that each finds its requirements until it
    /// ends.
    fn advance_shutdown(&mut self) {
        let Some(waited) = self.stopping.map(|since| since.elapsed()) else {
            return;
        };
        let [all_stopped, killed] = self.bounds();
        if waited >= killed {
            self.kill();
        } else if waited >= all_stopped {
            for child in self.left() {
                drop(child.child.stdin.take());
            }
        } else if let Some(last) = self.left().last() {
            drop(last.child.stdin.take());
        }
    }

    fn kill(&mut self) {
        for child in self.left() {
            // An error means that the child has ended meanwhile.
            let _ = child.child.kill();
        }
    }
}

/// Returns the command `parigot run --process <name>` with the options of this process, and with
/// the arguments after `--` if the child runs the program that receives them. A child whose
/// programs read standard input inherits `stdin`, which must live until the child has started.
fn command(
    run: &Run,
    name: &str,
    program: Option<&str>,
    stdin: Option<&InheritedStdin>,
) -> io::Result<Command> {
    let format = run
        .log_format
        .to_possible_value()
        .expect("all formats must have a name");
    let mut command = Command::new(std::env::current_exe()?);
    command.args([
        "run",
        "--exit-with-stdin",
        "--process",
        name,
        "--log-format",
        format.get_name(),
    ]);
    command.args(["--log-level", &run.log_level.to_string()]);
    command.args(["--compile-time", &run.compiling.compile_time.to_string()]);
    command.args(["--compile-memory", &run.compiling.compile_memory.text]);
    command.args(run.compiling.no_cache.then_some("--no-cache"));
    command.args(stdin.map(InheritedStdin::option));
    command.arg(&run.file);
    if let Some(program) = program {
        command.args(["--program", program, "--"]).args(&run.args);
    }
    if takes_colour() {
        command.env(FORCE_COLOUR, "1");
    }
    // A terminal stops a process of another group that reads.
    #[cfg(unix)]
    if stdin.is_none() || !io::stdin().is_terminal() {
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
    }
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Forwards a child's log in whole lines.
///
/// Lines that arrive together are written together, so that no line of another process comes
/// between them.
fn forward(mut stderr: ChildStderr) {
    let mut held = Vec::new();
    let mut more = vec![0; 64 << 10];
    // A read error means that the child has ended.
    while let Ok(bytes @ 1..) = stderr.read(&mut more) {
        held.extend_from_slice(&more[..bytes]);
        if let Some(end) = held.iter().rposition(|byte| *byte == b'\n') {
            let lines: Vec<u8> = held.drain(..=end).collect();
            STDERR.lines(&String::from_utf8_lossy(&lines));
        }
    }
    if !held.is_empty() {
        STDERR.lines(&format!("{}\n", String::from_utf8_lossy(&held)));
    }
}

/// Returns the status of a child that has ended; [`FAILED`] for a killed one.
fn status(name: &str, ended: io::Result<ExitStatus>) -> u8 {
    match ended.map(|status| status.code()) {
        Ok(Some(code)) => u8::try_from(code).unwrap_or(FAILED),
        Ok(None) => {
            tracing::error!("process {name} was killed");
            FAILED
        }
        Err(error) => {
            tracing::error!("exit status of process {name} is unknown: {error}");
            FAILED
        }
    }
}
