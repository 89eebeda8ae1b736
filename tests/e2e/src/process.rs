//! Child processes: their log line by line, their end, and a deadline for both.

use std::fs::{DirEntry, read_dir, read_to_string};
use std::io::{BufRead, BufReader, PipeReader, Read, Write as _, pipe};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{JoinHandle, spawn, yield_now};
use std::time::{Duration, Instant};

/// Deadline of a process, which includes compiling guests on a busy machine: guests in Go have some
/// MiB of code.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// Capacity of a pipe on Linux.
const PIPE_BYTES: usize = 64 << 10;

/// A running process. Dropping it kills the process.
#[derive(Debug)]
pub struct Started {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Receiver<String>,
    seen: String,
    kill_at: Instant,
}

/// An ended process.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The exit status; `None` if a signal ended the process.
    pub status: Option<i32>,
    /// The output on stdout.
    pub stdout: String,
    /// The output on stderr.
    pub stderr: String,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The time in UTC: `2026-11-22T03:15:06.123`.
    pub time: String,
    /// The level, for example `INFO`.
    pub level: String,
    /// The guest's name, or `-`.
    pub guest: String,
    /// The instance, `ins_…`, or `-`.
    pub instance: String,
    /// The call, `cal_…`, or `-`.
    pub call: String,
    /// The message.
    pub message: String,
}

impl Started {
    /// Starts a process with an empty stdin.
    pub fn new(command: &mut Command) -> Self {
        let mut started = Started::with(command, Stdio::null(), Stdio::piped());
        let mut stdout = started.child.stdout.take().expect("stdout is a pipe");
        started.stdout = Some(spawn(move || {
            let mut text = String::new();
            stdout
                .read_to_string(&mut text)
                .expect("stdout must be UTF-8");
            text
        }));
        started
    }

    /// Starts a process with pipes for stdin and stdout, and returns the test's ends of the pipes.
    pub fn with_pipes(command: &mut Command) -> (Self, ChildStdin, ChildStdout) {
        let mut started = Started::with(command, Stdio::piped(), Stdio::piped());
        let stdin = started.child.stdin.take().expect("stdin is a pipe");
        let stdout = started.child.stdout.take().expect("stdout is a pipe");
        (started, stdin, stdout)
    }

    /// Starts a process whose stdin and stdout the test chooses. Its `Ended` has no output on
    /// stdout.
    pub fn with(command: &mut Command, stdin: Stdio, stdout: Stdio) -> Self {
        let child = command
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stderr = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let (sender, receiver) = channel();
        spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Started::of(child, receiver)
    }

    fn of(child: Child, stderr: Receiver<String>) -> Self {
        Started {
            child,
            stdout: None,
            stderr,
            seen: String::new(),
            kill_at: Instant::now() + DEADLINE,
        }
    }

    /// Starts a process whose stderr is a full pipe, and returns the test's end of the pipe. The
    /// process has no line on stderr until the test reads.
    pub fn with_full_stderr(command: &mut Command) -> (Self, PipeReader) {
        let (reader, mut writer) = pipe().expect("a process can have a few pipes");
        writer
            .write_all(&[b'\n'; PIPE_BYTES])
            .expect("the pipe must have a reader");
        let child = command.stdin(Stdio::null()).stderr(writer).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // This process must not keep an end for writing.
        command.stderr(Stdio::null());
        let (_, stderr) = channel();
        (Started::of(child, stderr), reader)
    }

    /// Waits until a line of stderr contains `text`, and returns the line.
    ///
    /// # Panics
    ///
    /// If the process ends or the deadline passes first.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        while let Some(line) = self.next_line() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("the process ended without {text:?}:\n{}", self.seen);
    }

    /// Waits until each of these texts was in a line, in any order: the lines of several processes
    /// interleave.
    ///
    /// # Panics
    ///
    /// If the process ends or the deadline passes first.
    #[track_caller]
    pub fn wait_for_each(&mut self, texts: &[&str]) {
        let mut missing = texts.to_vec();
        while !missing.is_empty() {
            let line = self
                .next_line()
                .unwrap_or_else(|| panic!("the process ended without {missing:?}:\n{}", self.seen));
            missing.retain(|text| !line.contains(text));
        }
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a child of this process has ended. `process` is its id. Linux only.
    ///
    /// # Panics
    ///
    /// If the deadline passes first.
    #[track_caller]
    pub fn wait_for_end_of(&self, process: u32) {
        // An ended process whose parent has not waited for it is a zombie, state Z.
        let runs = || {
            read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
        };
        while runs() {
            assert!(
                Instant::now() < self.kill_at,
                "process {process} still runs after {DEADLINE:?}"
            );
            yield_now();
        }
    }

    /// Waits until the process has `count` threads of that name. Linux only.
    ///
    /// # Panics
    ///
    /// If the deadline passes first.
    #[track_caller]
    pub fn wait_for_threads(&self, name: &str, count: usize) {
        let has_that_name = |thread: &DirEntry| {
            read_to_string(thread.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name)
        };
        let tasks = format!("/proc/{}/task", self.id());
        while read_dir(&tasks)
            .expect("the process must run")
            .flatten()
            .filter(has_that_name)
            .count()
            < count
        {
            assert!(
                Instant::now() < self.kill_at,
                "fewer than {count} threads named {name} after {DEADLINE:?}"
            );
            yield_now();
        }
    }

    /// Waits until the process has `count` children, and returns their ids. Linux only.
    ///
    /// # Panics
    ///
    /// If the deadline passes first.
    #[track_caller]
    pub fn wait_for_children(&self, count: usize) -> Vec<u32> {
        // The main thread starts the children.
        let file = format!("/proc/{0}/task/{0}/children", self.id());
        loop {
            let ids = read_to_string(&file).expect("the process must run");
            let ids: Vec<_> = ids.split(' ').filter_map(|id| id.parse().ok()).collect();
            if ids.len() == count {
                return ids;
            }
            assert!(
                Instant::now() < self.kill_at,
                "{} children instead of {count} after {DEADLINE:?}",
                ids.len()
            );
            yield_now();
        }
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// Sends SIGINT, and again until the process ends. Checks that a later one ends the process
    /// although its guests still run. Nothing else must end them within a minute: the deployment
    /// needs a long `shutdown_deadline`, and a guest that loops a budget of 60 s.
    ///
    /// # Panics
    ///
    /// If the process ends later than that.
    #[track_caller]
    pub fn interrupt_twice(mut self) {
        self.interrupt();
        self.wait_for("another Ctrl-C exits immediately");
        self.repeat_signal("INT");
        assert_eq!(self.wait().status, Some(130));
    }

    /// Sends the signal of that name until the process ends, which nothing else must end within a
    /// minute.
    ///
    /// # Panics
    ///
    /// If the process still runs after 50 s.
    #[track_caller]
    pub fn repeat_signal(&mut self, name: &str) {
        let begun = Instant::now();
        // Signals within 500 ms of the first count as one.
        while self.try_wait().is_none() {
            assert!(
                begun.elapsed() < Duration::from_secs(50),
                "the second signal must end the process"
            );
            self.signal(name);
            yield_now();
        }
    }

    fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child must be known")
    }

    /// Sends the signal of that name, for example `TERM` or `STOP`.
    pub fn signal(&self, name: &str) {
        signal(self.id(), name);
    }

    /// Waits for the end of the process.
    ///
    /// # Panics
    ///
    /// If the deadline passes first.
    #[track_caller]
    pub fn wait(mut self) -> Ended {
        while self.next_line().is_some() {}
        // Its stderr is closed, so the process has ended or is about to. A process whose stderr the
        // test does not read may run on.
        let status = loop {
            if let Some(status) = self.try_wait() {
                break status.code();
            }
            assert!(
                Instant::now() < self.kill_at,
                "the process still runs after {DEADLINE:?}"
            );
            yield_now();
        };
        let stdout = self
            .stdout
            .take()
            .map(|stdout| stdout.join().expect("stdout must be readable"));
        Ended {
            status,
            stdout: stdout.unwrap_or_default(),
            stderr: std::mem::take(&mut self.seen),
        }
    }

    #[track_caller]
    fn next_line(&mut self) -> Option<String> {
        match self
            .stderr
            .recv_timeout(self.kill_at.saturating_duration_since(Instant::now()))
        {
            // A busy machine may add this line to any start.
            Ok(line) if line.contains(" compiled slowly, ") => self.next_line(),
            Ok(line) => {
                self.seen.push_str(&line);
                self.seen.push('\n');
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!("the process still runs after {DEADLINE:?}:\n{}", self.seen)
            }
        }
    }
}

/// Runs work that may block, for example on a pipe, on a thread of its own.
///
/// # Panics
///
/// If the work does not end within [`DEADLINE`], or panics.
#[track_caller]
pub fn within_deadline<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, result) = channel();
    spawn(move || sender.send(work()));
    result
        .recv_timeout(DEADLINE)
        .expect("the work must end within the deadline")
}

/// Sends the signal of that name to a child process. `process` is its id.
///
/// # Panics
///
/// If the process has ended and was waited for.
pub fn signal(process: u32, name: &str) {
    let kill = Command::new("sh")
        .args(["-c", &format!("kill -{name} {process}")])
        .status();
    assert!(
        kill.is_ok_and(|status| status.success()),
        "process {process} must exist"
    );
}

impl Drop for Started {
    fn drop(&mut self) {
        // Both fail if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Returns the lines of the log. Indented lines belong to the line before.
    ///
    /// # Panics
    ///
    /// If stderr contains anything else.
    pub fn log(&self) -> Vec<Line> {
        let mut log: Vec<Line> = Vec::new();
        for line in self.stderr.lines() {
            match (line.strip_prefix("    "), log.last_mut()) {
                (Some(more), Some(last)) => last.message.extend(["\n", more]),
                _ => {
                    log.push(Line::parse(line).unwrap_or_else(|| {
                        panic!("no line of a log: {line:?}, in\n{}", self.stderr)
                    }))
                }
            }
        }
        log
    }

    /// Returns the messages of a guest's lines, including those that the host logs about it.
    pub fn messages_of(&self, guest: &str) -> Vec<String> {
        self.log()
            .into_iter()
            .filter(|line| line.guest == guest)
            .map(|line| line.message)
            .collect()
    }
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let (time, rest) = line.split_at_checked("2026-11-22T03:15:06.123Z".len())?;
        let (level, rest) = rest.strip_prefix(' ')?.split_at_checked("ERROR".len())?;
        let mut columns = rest.strip_prefix(' ')?.splitn(4, ' ').map(str::to_owned);
        Some(Line {
            time: time.strip_suffix('Z')?.to_owned(),
            level: level.trim_end().to_owned(),
            guest: columns.next()?,
            instance: columns.next()?,
            call: columns.next()?,
            message: columns.next()?,
        })
    }
}
