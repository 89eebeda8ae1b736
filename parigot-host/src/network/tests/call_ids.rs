//! Ids of calls in the logs of processes.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::field::{self, Field};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::processes::pair;
use super::service_guest::ECHO;

#[test]
fn a_call_has_the_same_id_in_both_logs() {
    let logged = Arc::<LoggedCalls>::default();
    let pair = tracing::dispatcher::with_default(&Arc::clone(&logged).into(), pair);
    let id = pair.front.call(1, ECHO).id.to_string();
    assert_eq!(
        *logged.calls.lock(),
        [id],
        "the service logs one line during the call"
    );
    pair.finish();
}

/// Log subscriber that collects the `call` field of all lines.
#[derive(Default)]
struct LoggedCalls {
    calls: Mutex<Vec<String>>,
}

impl field::Visit for &LoggedCalls {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "call" {
            self.calls.lock().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for LoggedCalls {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut &*self);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
