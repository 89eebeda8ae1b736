//! Serves load.v1.Work: writes a line for each job that it runs, the first thing that it does, and then does what the job asks for.
//!
//! Its environment may ask for more: with a deed in `READY` it does that while it makes itself ready, with anything in `HOLDING` it has a call
//! kept by load.v1.Store whenever it does a job, and with a number in `ROUNDS` it computes so long for each.

use std::hint::black_box;
use std::time::Duration;

use golden::load::load::v1::job::{Deed, Moment};
use golden::load::load::v1::{Done, Job, ShelfClient, StoreClient, Work, WorkServer};
use parigot_guest::{CallError, Code, Context, NotReady, Ready, Status};

struct Worker {
    /// Whom it has calls in flight to, and who tells when they have come there.
    store: Option<(StoreClient, ShelfClient)>,
    /// How long it computes for a job.
    rounds: u32,
}

impl Ready for Worker {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        if let Some(deed) = cx.env("READY") {
            commit(cx, &job_of(deed)).await;
        }
        let store = match cx.env("HOLDING") {
            Some(_) => Some((StoreClient::locate(cx)?, ShelfClient::locate(cx)?)),
            None => None,
        };
        Ok(Worker {
            store,
            rounds: cx
                .env("ROUNDS")
                .map_or(0, |rounds| rounds.parse().expect("it is a number")),
        })
    }
}

/// A deed, and behind a colon its amount.
fn job_of(deed: &str) -> Job {
    let (deed, amount) = deed.split_once(':').unwrap_or((deed, "0"));
    let deed = Deed::from_str_name(deed).expect("it is the name of a deed");
    Job {
        deed: deed.into(),
        amount: amount.parse().expect("a number follows the colon"),
        ..Job::default()
    }
}

impl Work for Worker {
    async fn run(&self, cx: &Context, job: Job) -> Result<Done, Status> {
        write_down(cx, &job);
        black_box((0..self.rounds).fold(0, |sum, k| black_box(sum ^ k)));
        let _held = self
            .store
            .as_ref()
            .map(|(store, _)| store.keep(job.clone()));
        if let Some((_, shelf)) = &self.store {
            shelf
                .find(Job {
                    ballast: Vec::new(),
                    ..job.clone()
                })
                .await
                .map_err(lost)?;
        }
        match job.moment() {
            Moment::InMethod => commit(cx, &job).await,
            Moment::InBackground => in_background(cx, job.clone()),
        }
        Ok(Done {
            number: job.number,
            ballast: job.ballast,
        })
    }
}

/// It is not known whether the call is kept.
fn lost(error: CallError<Status>) -> Status {
    Status::new(Code::Internal, error.to_string())
}

/// Writes down that a job is run, at once, so that it is known whatever comes then.
fn write_down(cx: &Context, job: &Job) {
    // Who calls from another process has the same clock, and reads it twice: for the host, and for this.
    const SKEW_NS: u128 = 50_000_000;
    let is_late = cx.deadline().is_some_and(|deadline| cx.now() >= deadline)
        || cx.wall().as_nanos() > u128::from(job.deadline_ns) + SKEW_NS;
    let late = if is_late { " late" } else { "" };
    parigot_guest::info!(cx, "load: ran {}/{}{late}", job.caller, job.number);
}

fn in_background(cx: &Context, job: Job) {
    let cx = cx.background();
    cx.clone().spawn(async move {
        // The answer leaves with the turn.
        cx.sleep(Duration::ZERO).await;
        commit(&cx, &job).await;
    });
}

/// Does what the job asks for. Returns only after deeds that are none.
async fn commit(cx: &Context, job: &Job) {
    match job.deed() {
        Deed::Sleep => cx.sleep(Duration::from_millis(job.amount.into())).await,
        Deed::Hang => std::future::pending().await,
        Deed::Leave => match cx.exit(job.amount as u8).await {},
        deed => deeds::commit(deed.as_str_name()),
    }
}

parigot_guest::service!(
    Worker,
    exports(WorkServer),
    requires(StoreClient, ShelfClient)
);
