//! Serves load.v1.Work: logs a line for each job before anything else, and then does the job.
//!
//! | variable | effect |
//! |---|---|
//! | `READY` | a deed to do in `ready` |
//! | `HOLDING` | if set, each job has a call of load.v1.Store in flight |
//! | `ROUNDS` | rounds of computing for each job |

use std::hint::black_box;
use std::time::Duration;

use golden::load::load::v1::job::{Deed, Moment};
use golden::load::load::v1::{Done, Job, ShelfClient, StoreClient, Work, WorkServer};
use parigot_guest::{CallError, Code, Context, NotReady, Ready, Status};

struct Worker {
    /// The service that keeps a call in flight, and the one that answers when the call has begun.
    store: Option<(StoreClient, ShelfClient)>,
    /// Rounds of computing for each job.
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
                .map_or(0, |rounds| rounds.parse().expect("ROUNDS is a number")),
        })
    }
}

/// Parses a deed and, behind a colon, its amount.
fn job_of(deed: &str) -> Job {
    let (deed, amount) = deed.split_once(':').unwrap_or((deed, "0"));
    let deed = Deed::from_str_name(deed).expect("the word is a deed");
    Job {
        deed: deed.into(),
        amount: amount.parse().expect("a number follows the colon"),
        ..Job::default()
    }
}

impl Work for Worker {
    async fn run(&self, cx: &Context, job: Job) -> Result<Done, Status> {
        log_job(cx, &job);
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
                .map_err(not_kept)?;
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

/// Returns the error of a job whose call of load.v1.Store may not have begun.
fn not_kept(error: CallError<Status>) -> Status {
    Status::new(Code::Internal, error.to_string())
}

/// Logs that a job is run. The line is in the log even if the guest fails right after.
fn log_job(cx: &Context, job: &Job) {
    // A caller in another process reads the clock twice, for the host and for `deadline_ns`.
    const SKEW_NS: u128 = 50_000_000;
    let is_late = cx.deadline().is_some_and(|deadline| cx.now() >= deadline)
        || cx.wall().as_nanos() > u128::from(job.deadline_ns) + SKEW_NS;
    let late = if is_late { " late" } else { "" };
    parigot_guest::info!(cx, "load: ran {}/{}{late}", job.caller, job.number);
}

fn in_background(cx: &Context, job: Job) {
    let cx = cx.background();
    cx.clone().spawn(async move {
        // The answer is sent at the end of this turn, before the deed is done.
        cx.sleep(Duration::ZERO).await;
        commit(&cx, &job).await;
    });
}

/// Does the job. Returns only after deeds that do not end the guest.
async fn commit(cx: &Context, job: &Job) {
    match job.deed() {
        Deed::Sleep => cx.sleep(Duration::from_millis(job.amount.into())).await,
        Deed::Hang => std::future::pending().await,
        Deed::Leave => match cx.exit(job.amount as u8).await {},
        deed => faults::inject(deed.as_str_name()),
    }
}

parigot_guest::service!(
    Worker,
    exports(WorkServer),
    requires(StoreClient, ShelfClient)
);
