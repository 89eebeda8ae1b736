//! Serves load.v1.Store, as the last of a chain of calls. It logs metadata and remaining deadline
//! of each call, answers after as many milliseconds as the job's amount, and logs when a call is
//! cancelled. With the variable `PANIC` it panics instead.

use std::time::Duration;

use golden::load::load::v1::{Done, Job, Store, StoreServer};
use parigot_guest::{Context, Status};

#[derive(Default)]
struct Tail;

impl Store for Tail {
    async fn keep(&self, cx: &Context, job: Job) -> Result<Done, Status> {
        assert!(cx.env("PANIC").is_none(), "told to panic");
        let value = |key| cx.metadata(key).unwrap_or("-");
        let within = cx
            .deadline()
            .map_or(Duration::MAX, |deadline| deadline - cx.now());
        parigot_guest::info!(
            cx,
            "{} {} {} within {} ms",
            value("traceparent"),
            value("tracestate"),
            value("colour"),
            within.as_millis()
        );
        let unanswered = Unanswered(Some(cx));
        cx.sleep(Duration::from_millis(job.amount.into())).await;
        unanswered.answer();
        Ok(Done {
            number: job.number,
            ..Done::default()
        })
    }
}

/// Logs that the handler was dropped before it has answered.
struct Unanswered<'a>(Option<&'a Context>);

impl Unanswered<'_> {
    fn answer(mut self) {
        self.0 = None;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(cx) = self.0 {
            parigot_guest::info!(cx, "cancelled");
        }
    }
}

parigot_guest::service!(Tail, exports(StoreServer));
