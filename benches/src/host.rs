//! The subject of the bench: guests on the host.

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

/// Deadline of a line of the log. A round takes far less.
const DEADLINE: Duration = Duration::from_secs(60);

/// A service that echoes, and a program that makes the calls in its arguments.
const PAIR: &str =
    "[service.echo]\nwasm = \"bench_echo.wasm\"\n[program.caller]\nwasm = \"bench_caller.wasm\"\n";

/// The same pair in Go, from the tests.
const GO_PAIR: &str =
    "[service.echo]\nwasm = \"go_echo.wasm\"\n[program.caller]\nwasm = \"go_soak.wasm\"\n";

/// A service that streams, and a program that reads one stream.
const STREAM_PAIR: &str =
    "[service.feed]\nwasm = \"bench_feed.wasm\"\n[program.reader]\nwasm = \"bench_reader.wasm\"\n";

/// The folder with the compiled guests of the bench.
pub(crate) struct Guests(PathBuf);

/// A running deployment.
pub(crate) struct Host {
    running: Running,
    lines: Receiver<Line>,
}

/// A line of the log of the guests and the host.
pub(crate) struct Line {
    pub(crate) moment: Moment,
    pub(crate) text: String,
}

/// Builds a workspace in this package, optimised, and returns the folder with the artifacts.
pub(crate) fn cargo_build(workspace: &str, target: Option<&str>) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(workspace);
    let output =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| folder.join("target"), PathBuf::from);
    let output = std::path::absolute(output).expect("the working directory must exist");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--release"])
        .args(target.iter().flat_map(|target| ["--target", target]));
    let status = cargo
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &output)
        .status()
        .expect("cargo must run");
    assert!(status.success(), "{workspace} does not compile");
    output.join(target.unwrap_or_default()).join("release")
}

impl Guests {
    pub(crate) fn build() -> Self {
        Guests(cargo_build("guests", Some("wasm32-unknown-unknown")))
    }

    /// Builds the guests in Go.
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
                go.status().expect("go must run").success(),
                "{name} does not compile"
            );
        }
    }

    /// Returns the path of a file in the folder, for example of a wasm file.
    pub(crate) fn wasm(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Starts the guests in these tables of a deployment file, and caches their compiled code.
    pub(crate) fn start(&self, tables: &str) -> Host {
        let file = format!("manifest_version = 1\n{tables}");
        let deployment = Deployment::parse(&file, &self.0.join("bench.toml")).expect(
            "the deployment file must \
                                                                         be valid",
        );
        // One worker, also without pinning to a core, so that guests run in the order in which they
        // become ready.
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

    /// Runs one round of the case beside `idle` guests that do nothing, in a deployment of its own.
    /// Measures between two lines of the caller.
    pub(crate) fn round(&self, case: Case, idle: usize) -> Measured {
        let host = self.start(&[PAIR, &args(case), &idle_guests(idle)].concat());
        // The caller begins after all guests that were ready before it. Else this loop would drop
        // the caller's line.
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

    /// Runs one round of a stream with as many items as the case has calls.
    pub(crate) fn round_of_stream(&self, case: Case) -> Measured {
        let host = self.start(&[STREAM_PAIR, &args(case)].concat());
        let measured = host.measure(case);
        host.stop();
        measured
    }

    /// Runs one round of the case between the guests in Go, which do not time single calls.
    pub(crate) fn round_in_go(&self, case: Case) -> Measured {
        let host = self.start(&[GO_PAIR, &args(case)].concat());
        let measured = host.measure(case);
        host.stop();
        measured
    }
}

/// Returns the arguments of a caller for the case.
fn args(case: Case) -> String {
    format!("args = {:?}\n", case.to_args())
}

/// Returns tables of this many guests of one small module. Each logs `idle` and then waits forever.
///
/// The guests are programs, because two services must not export the same one.
pub(crate) fn idle_guests(count: usize) -> String {
    (0..count)
        .map(|number| format!("[program.idle-{number}]\nwasm = \"bench_idle.wasm\"\n"))
        .collect()
}

impl Host {
    /// Waits for the next line that contains `text`, and drops the lines before it.
    pub(crate) fn wait_for(&self, text: &str) -> Line {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) if line.text.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!("no line with {text:?}: {error}"),
            }
        }
    }

    /// Measures the calls between the two lines of the caller.
    fn measure(&self, case: Case) -> Measured {
        let begin = self.wait_for("begin");
        let end = self.wait_for("end");
        end.moment.per_call_since(begin.moment, case.calls)
    }

    /// Stops the deployment, and waits for its end.
    pub(crate) fn stop(self) {
        self.running.stopper().stop();
        self.running.wait();
    }
}

impl Line {
    /// Returns the numbers in the line.
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

/// Sends the lines of the log with their times.
struct Log(Sender<Line>);

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let moment = Moment::now();
        let mut text = Text(String::new());
        event.record(&mut text);
        // Fails if the deployment was stopped, and then the line is not needed.
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

    #[test]
    fn the_reader_gets_its_items() {
        let measured = Guests::build().round_of_stream(Case {
            size: 1_000,
            in_flight: 1,
            calls: 1_000,
            timed: false,
        });
        assert!(measured.cpu_ns > 0.0, "{measured:?}");
    }
}
