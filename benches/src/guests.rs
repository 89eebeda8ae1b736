//! The subject: two guests on the host, one calling the other.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use parigot_host::Settings;
use parigot_host::deployment::Deployment;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::cpu::Moment;
use crate::{Case, Measured};

/// Compiles the guests; returns the folder with their `.wasm` files.
pub(crate) fn build() -> PathBuf {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| guests.join("target"), PathBuf::from);
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown"])
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(&guests)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the guests of the bench do not compile");
    target.join("wasm32-unknown-unknown/release")
}

/// One round of the case: a deployment of its own, measured between the caller's two lines in the log.
pub(crate) fn round(guests: &Path, case: Case) -> Measured {
    let Case { size, in_flight, calls } = case;
    let file = format!(
        "manifest_version = 1\n\
         [service.echo]\nwasm = \"bench_echo.wasm\"\n\
         [program.caller]\nwasm = \"bench_caller.wasm\"\nargs = [\"{calls}\", \"{size}\", \"{in_flight}\"]\n"
    );
    let deployment = Deployment::parse(&file, &guests.join("bench.toml")).expect("the file is right");
    let moments = Moments::default();
    let subscriber = tracing_subscriber::registry().with(moments.clone());
    let outcome = tracing::subscriber::with_default(subscriber, || {
        parigot_host::start(&deployment, Settings::default()).expect("the guests start").wait()
    });
    assert_eq!(outcome.status, 0, "the caller has failed");
    let moments = moments.0.lock().expect("no thread has panicked");
    let [begin, end] = moments[..] else { panic!("the caller says when it begins and ends") };
    end.per_call_since(begin, calls)
}

/// Takes the time whenever a guest says something.
#[derive(Clone, Default)]
struct Moments(Arc<Mutex<Vec<Moment>>>);

impl<S: Subscriber> Layer<S> for Moments {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let now = Moment::now();
        let mut said = Said(String::new());
        event.record(&mut said);
        if event.metadata().target() == "guest" && ["begin", "end"].contains(&said.0.as_str()) {
            self.0.lock().expect("no thread has panicked").push(now);
        } else if *event.metadata().level() <= tracing::Level::WARN {
            eprintln!("{}", said.0);
        }
    }
}

/// The message of an event.
struct Said(String);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
