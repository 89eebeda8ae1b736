//! Runs a deployment: one host in this process for all guests, or one host for each process of the
//! deployment, in this process or in a child process.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::{JoinHandle, spawn};

use parigot_host::deployment::Deployment;
use parigot_host::{Exported, Outcome, Pending, Running, Settings, start};
use serde_json::Value;
use tracing::dispatcher::{Dispatch, get_default, with_default};

use crate::process::signal;
use crate::{App, Nats, parigot_run};

/// Distribution of the guests of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployed {
    /// All guests in one process.
    Together,
    /// Several processes, connected by a NATS server of their own.
    Apart,
}

impl Deployed {
    /// Both distributions.
    pub const EACH: [Deployed; 2] = [Deployed::Together, Deployed::Apart];

    /// Distributes an app's guests over these processes if `self` is `Apart`: see [`App::apart`].
    /// Returns the NATS server that connects them.
    pub fn spread(self, app: App, processes: &[(&str, &str)]) -> (App, Option<Nats>) {
        match self {
            Deployed::Together => (app, None),
            Deployed::Apart => {
                let nats = Nats::start();
                (app.apart(&nats, processes), Some(nats))
            }
        }
    }
}

/// The hosts of a deployment. They log to the subscriber of the thread that has started them.
#[derive(Debug)]
pub struct Hosts {
    /// Hosts in this process, in the order of the processes' names.
    here: Vec<Running>,
    children: Vec<ChildProcess>,
}

impl Hosts {
    /// Starts a host for each process of the deployment, or one if the deployment has no processes.
    /// The processes in `children` become child processes that run the command.
    #[track_caller]
    pub fn start(app: &App, settings: &Settings, children: &[&str]) -> Self {
        let whole = Deployment::read(&app.file()).expect("the deployment file must be valid");
        let names = whole
            .processes
            .iter()
            .map(|process| process.name())
            .filter(|name| !children.contains(name));
        let mut parts: Vec<_> = names
            .map(|name| whole.of_process(name).expect("the name is from the file"))
            .collect();
        if whole.processes.is_empty() {
            parts.push(whole);
        }
        let children = children
            .iter()
            .map(|name| ChildProcess::start(name, app.file(), get_default(Clone::clone)))
            .collect();
        let start = |(nth, part)| {
            start(part, settings_of(nth, settings)).expect("the deployment must start")
        };
        Hosts {
            here: parts.iter().enumerate().map(start).collect(),
            children,
        }
    }

    /// Returns the exports of the guests in this process.
    pub fn exports(&self) -> Vec<Exported> {
        self.here
            .iter()
            .flat_map(Running::exports)
            .cloned()
            .collect()
    }

    /// Returns the calls in flight in this process.
    pub fn pending(&self) -> Vec<Pending> {
        self.here.iter().flat_map(Running::pending).collect()
    }

    /// Returns the child process of that name.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn child(&mut self, name: &str) -> &mut ChildProcess {
        self.children
            .iter_mut()
            .find(|process| process.name == name)
            .expect("the process must be a child process")
    }

    /// Stops the hosts in this process and kills the child processes. Returns the outcome with the
    /// highest exit status of the hosts in this process.
    pub fn stop(self) -> Outcome {
        self.here.iter().for_each(|host| host.stopper().stop());
        let outcomes = self.here.into_iter().map(Running::wait);
        let worst = outcomes
            .max_by_key(|outcome| outcome.status)
            .expect("at least one host must be in this process");
        self.children
            .into_iter()
            .for_each(|mut process| process.kill());
        worst
    }
}

/// Returns settings with another seed for each host: with the same seed, hosts would draw the same
/// ids.
fn settings_of(nth: usize, settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    if let Some(seed) = &mut settings.seed {
        seed[0] ^= nth as u8;
    }
    settings
}

/// A process of a deployment that is a child process of this one. Dropping it kills the process.
#[derive(Debug)]
pub struct ChildProcess {
    name: String,
    file: PathBuf,
    /// Receives the process's log.
    here: Dispatch,
    child: Child,
    /// Forwards the process's log. Ends at the end of the log.
    log: Option<JoinHandle<()>>,
}

impl ChildProcess {
    fn start(name: &str, file: PathBuf, here: Dispatch) -> Self {
        let mut command = parigot_run(&file);
        command
            .args(["--process", name, "--log-format", "json"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = BufReader::new(child.stderr.take().expect("stderr is a pipe")).lines();
        let log_to = here.clone();
        let forward = move || {
            with_default(&log_to, || {
                lines
                    .map_while(Result::ok)
                    .for_each(|line| log_again(&line))
            })
        };
        ChildProcess {
            name: name.to_owned(),
            file,
            here,
            child,
            log: Some(spawn(forward)),
        }
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Freezes the process with SIGSTOP.
    pub fn freeze(&self) {
        signal(self.id(), "STOP");
    }

    /// Continues the frozen process.
    pub fn thaw(&self) {
        signal(self.id(), "CONT");
    }

    /// Kills the process if it runs, and waits until its whole log has been forwarded.
    pub fn kill(&mut self) {
        // Both fail if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.log
            .take()
            .into_iter()
            .for_each(|log| log.join().expect("the log must be readable"));
    }

    /// Starts the process once more, after it was killed.
    pub fn restart(&mut self) {
        *self = ChildProcess::start(&self.name, self.file.clone(), self.here.clone());
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Logs a line that a child process has logged as JSON.
fn log_again(line: &str) {
    let json: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    let member = |name: &str| json[name].as_str().unwrap_or_default();
    let service = member("service");
    let instance = member("instance");
    let call = member("call");
    let method = member("method");
    tracing::info!(%service, %instance, %call, %method, "{}", member("message"));
}
