//! What runs a deployment: a host in this process for all its guests, or one for each of its processes, here or in a process of the system.

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

/// How the guests of a deployment are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployed {
    /// All in one process.
    Together,
    /// Over processes that a nats-server of their own joins.
    Apart,
}

impl Deployed {
    /// Both ways.
    pub const EACH: [Deployed; 2] = [Deployed::Together, Deployed::Apart];

    /// Spreads an app's guests so, and starts what joins the processes, if there are several: see [`App::apart`].
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

/// What runs the processes of a deployment. It logs as whoever has started it.
#[derive(Debug)]
pub struct Hosts {
    /// In the order of the processes' names.
    here: Vec<Running>,
    elsewhere: Vec<Elsewhere>,
}

impl Hosts {
    /// Starts a host for each process that an app's file has, or one if it has none; but for those named, for each of which the command is run.
    #[track_caller]
    pub fn start(app: &App, settings: &Settings, elsewhere: &[&str]) -> Self {
        let whole = Deployment::read(&app.file()).expect("the file is right");
        let names = whole
            .processes
            .iter()
            .map(|process| process.name())
            .filter(|name| !elsewhere.contains(name));
        let mut parts: Vec<_> = names
            .map(|name| whole.of_process(name).expect("it is in the file"))
            .collect();
        if whole.processes.is_empty() {
            parts.push(whole);
        }
        let elsewhere = elsewhere
            .iter()
            .map(|name| Elsewhere::start(name, app.file(), get_default(Clone::clone)))
            .collect();
        let start = |(nth, part)| start(part, settings_of(nth, settings)).expect("it starts");
        Hosts {
            here: parts.iter().enumerate().map(start).collect(),
            elsewhere,
        }
    }

    /// What guests export that run here.
    pub fn exports(&self) -> Vec<Exported> {
        self.here
            .iter()
            .flat_map(Running::exports)
            .cloned()
            .collect()
    }

    /// The calls that are in flight here.
    pub fn pending(&self) -> Vec<Pending> {
        self.here.iter().flat_map(Running::pending).collect()
    }

    /// A process that runs elsewhere.
    ///
    /// # Panics
    ///
    /// If none of that name does.
    pub fn elsewhere(&mut self, name: &str) -> &mut Elsewhere {
        self.elsewhere
            .iter_mut()
            .find(|process| process.name == name)
            .expect("it runs elsewhere")
    }

    /// Stops those that run here, kills the others, and returns how the one has ended that ended worst.
    pub fn stop(self) -> Outcome {
        self.here.iter().for_each(|host| host.stopper().stop());
        let outcomes = self.here.into_iter().map(Running::wait);
        let worst = outcomes
            .max_by_key(|outcome| outcome.status)
            .expect("one at least runs here");
        self.elsewhere
            .into_iter()
            .for_each(|mut process| process.kill());
        worst
    }
}

/// Hosts that are seeded alike would draw the same ids.
fn settings_of(nth: usize, settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    if let Some(seed) = &mut settings.seed {
        seed[0] ^= nth as u8;
    }
    settings
}

/// A process of a deployment that is one of the system, too. Dropping it kills it.
#[derive(Debug)]
pub struct Elsewhere {
    name: String,
    file: PathBuf,
    /// Where it logs to.
    here: Dispatch,
    child: Child,
    /// Ends when all that it has logged is logged here.
    log: Option<JoinHandle<()>>,
}

impl Elsewhere {
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
        Elsewhere {
            name: name.to_owned(),
            file,
            here,
            child,
            log: Some(spawn(forward)),
        }
    }

    /// Its number, as the system counts processes.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it where it is.
    pub fn freeze(&self) {
        signal(self.id(), "STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        signal(self.id(), "CONT");
    }

    /// Kills it, unless it was killed before, and waits until all that it has logged is known.
    pub fn kill(&mut self) {
        // It may have ended, and then neither does anything.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.log
            .take()
            .into_iter()
            .for_each(|log| log.join().expect("its log could be read"));
    }

    /// Starts it once more, after it was killed.
    pub fn start_again(&mut self) {
        *self = Elsewhere::start(&self.name, self.file.clone(), self.here.clone());
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Logs what was logged elsewhere.
fn log_again(line: &str) {
    let json: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    let member = |name: &str| json[name].as_str().unwrap_or_default();
    let (service, call, method) = (member("service"), member("call"), member("method"));
    tracing::info!(%service, %call, %method, "{}", member("message"));
}
