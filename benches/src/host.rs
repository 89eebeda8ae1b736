//! The subject: guests on the host.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bench_meter::{Case, Measured, Moment};
use parigot_host::deployment::Deployment;
use parigot_host::{Running, Settings};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// How long to wait for a line of the log. What is measured takes less by far.
const DEADLINE: Duration = Duration::from_secs(60);

/// A service that answers with what it gets, and a program that calls it as it is told.
const PAIR: &str =
    "[service.echo]\nwasm = \"bench_echo.wasm\"\n[program.caller]\nwasm = \"bench_caller.wasm\"\n";

/// The same two in Go, from the tests.
const GO_PAIR: &str =
    "[service.echo]\nwasm = \"go_echo.wasm\"\n[program.caller]\nwasm = \"go_soak.wasm\"\n";

/// The guests of the bench, compiled to wasm; the folder where they are.
pub(crate) struct Guests(PathBuf);

/// A deployment that runs.
pub(crate) struct Host {
    running: Running,
    lines: Receiver<Line>,
}

/// A line of the log, of guests or of the host.
pub(crate) struct Line {
    pub(crate) moment: Moment,
    pub(crate) text: String,
}

/// Builds a workspace that lies in this package, optimised; returns the folder with what came out.
pub(crate) fn cargo_build(workspace: &str, target: Option<&str>) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(workspace);
    let output =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| folder.join("target"), PathBuf::from);
    let output = std::path::absolute(output).expect("there is a working directory");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--release"])
        .args(target.iter().flat_map(|target| ["--target", target]));
    let status = cargo
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &output)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "{workspace} does not compile");
    output.join(target.unwrap_or_default()).join("release")
}

impl Guests {
    pub(crate) fn build() -> Self {
        Guests(cargo_build("guests", Some("wasm32-unknown-unknown")))
    }

    /// Adds those in Go.
    pub(crate) fn build_go(&self) {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/guests-go");
        for name in ["echo", "soak"] {
            let mut go = Command::new("go");
            go.args(["build", "-buildmode=c-shared", "-o"])
                .arg(self.wasm(&format!("go_{name}.wasm")));
            go.arg(format!("./{name}"))
                .current_dir(&module)
                .env("GOOS", "wasip1")
                .env("GOARCH", "wasm");
            assert!(
                go.status().expect("go runs").success(),
                "{name} does not compile"
            );
        }
    }

    /// The wasm file of a guest.
    pub(crate) fn wasm(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Starts the guests that these tables of a deployment file name; what they are compiled to is kept for the next time.
    pub(crate) fn start(&self, tables: &str) -> Host {
        let file = format!("manifest_version = 1\n{tables}");
        let deployment =
            Deployment::parse(&file, &self.0.join("bench.toml")).expect("the file is right");
        // One worker, also where nobody has pinned it to one core: then whoever was ready first runs first.
        let settings = Settings {
            workers: 1,
            code_cache: Some(self.0.join("bench-code")),
            ..Settings::default()
        };
        let (log, lines) = channel();
        let subscriber = tracing_subscriber::registry()
            .with(LevelFilter::INFO)
            .with(Log(log));
        let running = tracing::subscriber::with_default(subscriber, || {
            parigot_host::start(&deployment, settings)
                .unwrap_or_else(|error| panic!("the guests do not start: {error}"))
        });
        Host { running, lines }
    }

    /// One round of the case, beside `idle` guests that do nothing: a deployment of its own, measured between two lines of the caller.
    pub(crate) fn round(&self, case: Case, idle: usize) -> Measured {
        let host = self.start(&[PAIR, &args(case), &idle_guests(idle)].concat());
        // The caller begins behind all that were ready before it; if it did not, its line would be missed here.
        (0..idle).for_each(|_| drop(host.wait_for("idle")));
        let measured = host.measure(case);
        let [p50_ns, p99_ns] = host.wait_for("took ").numbers();
        host.stop();
        Measured {
            p50_ns,
            p99_ns,
            ..measured
        }
    }

    /// One round of the case between the guests in Go, which time no single calls.
    pub(crate) fn round_in_go(&self, case: Case) -> Measured {
        let host = self.start(&[GO_PAIR, &args(case)].concat());
        let measured = host.measure(case);
        host.stop();
        measured
    }
}

/// What tells a caller the case.
fn args(case: Case) -> String {
    format!("args = {:?}\n", case.to_args())
}

/// So many guests of one small module, each of which says `idle` and then waits for ever.
///
/// They are programs: a service that nobody calls does as little, but no two guests may export the same one.
pub(crate) fn idle_guests(count: usize) -> String {
    (0..count)
        .map(|number| format!("[program.idle-{number}]\nwasm = \"bench_idle.wasm\"\n"))
        .collect()
}

impl Host {
    /// The next line with that in it. What comes before it is passed over.
    pub(crate) fn wait_for(&self, text: &str) -> Line {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) if line.text.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!("no guest has said {text:?}: {error}"),
            }
        }
    }

    /// What the calls take between the lines of the caller.
    fn measure(&self, case: Case) -> Measured {
        let begin = self.wait_for("begin");
        let end = self.wait_for("end");
        end.moment.per_call_since(begin.moment, case.calls)
    }

    /// Ends the deployment, and returns once all is gone.
    pub(crate) fn stop(self) {
        self.running.stopper().stop();
        self.running.wait();
    }
}

impl Line {
    /// The numbers at its end.
    fn numbers<const N: usize>(&self) -> [f64; N] {
        let numbers: Vec<f64> = self
            .text
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        numbers
            .try_into()
            .unwrap_or_else(|_| panic!("expected {N} numbers, found {:?}", self.text))
    }
}

/// Takes the log, and the time of each line.
struct Log(Sender<Line>);

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let moment = Moment::now();
        let mut text = Text(String::new());
        event.record(&mut text);
        // Nobody listens any more once the deployment has been stopped.
        let _ = self.0.send(Line {
            moment,
            text: text.0,
        });
    }
}

/// The message of an event.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_gets_its_answers_beside_idle_guests() {
        let case = Case {
            size: 1_000,
            in_flight: 4,
            calls: 64,
            timed: true,
        };
        let measured = Guests::build().round(case, 3);
        assert!(
            measured.p99_ns >= measured.p50_ns && measured.p50_ns > 0.0 && measured.cpu_ns > 0.0,
            "{measured:?}"
        );
    }

    #[test]
    fn the_caller_in_go_gets_its_answers() {
        let guests = Guests::build();
        guests.build_go();
        let measured = guests.round_in_go(Case {
            size: 1_000,
            in_flight: 4,
            calls: 64,
            timed: false,
        });
        assert!(measured.cpu_ns > 0.0, "{measured:?}");
    }
}
