//! Serves load.v1.Work: writes a line for each job that it runs, the first thing that it does, and then does what the job asks for.
//!
//! With a deed in the variable `READY` it does that while it makes itself ready.

use golden::load::load::v1::job::{Deed, Moment};
use golden::load::load::v1::{Done, Job, Work, WorkServer};
use parigot_guest::{Context, NotReady, Ready, Status};

struct Worker;

impl Ready for Worker {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        if let Some(job) = job_of(cx, "READY") {
            deeds::commit(cx, &job).await;
        }
        Ok(Worker)
    }
}

/// The deed that a variable asks for, with the number behind a colon.
fn job_of(cx: &Context, variable: &str) -> Option<Job> {
    let (deed, amount) = cx.env(variable)?.split_once(':').unwrap_or((cx.env(variable)?, "0"));
    let deed = Deed::from_str_name(deed).expect("it is the name of a deed");
    Some(Job { deed: deed.into(), amount: amount.parse().expect("a number follows the colon"), ..Job::default() })
}

impl Work for Worker {
    async fn run(&self, cx: &Context, job: Job) -> Result<Done, Status> {
        write_down(cx, &job);
        match job.moment() {
            Moment::InBackground => in_background(cx, job),
            _ => deeds::commit(cx, &job).await,
        }
        Ok(Done { number: job.number })
    }
}

/// Writes down that a job is run, at once, so that it is known whatever comes then.
fn write_down(cx: &Context, job: &Job) {
    // Clocks of different machines may differ by a second.
    const SKEW_NS: u128 = 1_000_000_000;
    let is_late = cx.deadline().is_some_and(|deadline| cx.now() >= deadline)
        || cx.wall().as_nanos() > u128::from(job.deadline_ns) + SKEW_NS;
    let late = if is_late { " late" } else { "" };
    parigot_guest::info!(cx, "ran {}/{}{late}", job.caller, job.number);
}

fn in_background(cx: &Context, job: Job) {
    let cx = cx.background();
    cx.clone().spawn(async move {
        // The answer leaves with the turn.
        cx.sleep(core::time::Duration::ZERO).await;
        deeds::commit(&cx, &job).await;
    });
}

parigot_guest::service!(Worker, exports(WorkServer));
