//! A program that calls load.v1.Work and says how each of its calls has ended, in the lines that `tests/load` reads.
//!
//! Its arguments are the jobs, in their order: the name of a deed, `:` and its amount, `~` if it is to be done in the background, `!` if
//! the call is to be dropped as soon as it is made, `*` and how often. `Again` is a job that does nothing, repeated until one call
//! is answered; `Again*20` until 20 are. At `Die` it panics. Before them stand, each with a value:
//!
//! - `--caller`: its number among the callers
//! - `--lanes`: how many calls it makes at once
//! - `--deadline-ms`: how long each may take
//! - `--ballast-bytes`: how large each is, and its answer
//! - `--harm-every` and `--harms`: one in so many jobs that should do nothing does one of these deeds instead, with commas between them; `--seed`
//!   says which does which
//!
//! It says why calls fail, once for each cause until one is answered. When it has made all its calls it stays, so that what is left of them can be looked for, until it is stopped.

mod book;
mod plan;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use golden::load::load::v1::{Done, Job, WorkClient, work};
use parigot_guest::{Call, Client, Context, Error, Exit};

use crate::book::{Book, Class};
use crate::plan::{Plan, Task};

/// How much later than at its deadline a call may end on a machine that is busy. One that ends later was silent.
const PATIENCE: Duration = Duration::from_secs(2);

/// After a call that failed, so that what is being restarted is not called a million times meanwhile.
const PAUSE: Duration = Duration::from_millis(10);

#[parigot_guest::program(requires(WorkClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let plan = Plan::read(cx.args());
    let (caller, lanes, deadline) = (plan.caller, plan.lanes, plan.deadline);
    let work = WorkClient::locate(&cx)?.with_deadline(deadline);
    let book = Rc::new(RefCell::new(Book::new(cx.clone(), caller)));
    let plan = Rc::new(RefCell::new(plan));
    for _ in 0..lanes {
        let lane = Lane {
            cx: cx.clone(),
            work: work.clone(),
            plan: Rc::clone(&plan),
            book: Rc::clone(&book),
            deadline,
        };
        cx.spawn(lane.run());
    }
    wait_for_lanes(&cx, &plan, deadline + PATIENCE).await;
    book.borrow_mut().close(plan.borrow().sent());
    std::future::pending().await
}

/// Waits until every lane has come to its end, or no new call was made for as long as one may take.
async fn wait_for_lanes(cx: &Context, plan: &Rc<RefCell<Plan>>, silence_max: Duration) {
    let (mut sent, mut since) = (0, cx.now());
    // Each lane has the plan, and so has `main`.
    while Rc::strong_count(plan) > 1 && cx.now() - since < silence_max {
        cx.sleep(PAUSE).await;
        if sent != plan.borrow().sent() {
            (sent, since) = (plan.borrow().sent(), cx.now());
        }
    }
}

/// One call after the other.
struct Lane {
    cx: Context,
    work: WorkClient,
    plan: Rc<RefCell<Plan>>,
    book: Rc<RefCell<Book>>,
    deadline: Duration,
}

impl Lane {
    async fn run(self) {
        loop {
            let Some(task) = self.plan.borrow_mut().next() else {
                return;
            };
            let Task::Call { job, dropped } = task else {
                panic!("told to die")
            };
            let number = job.number;
            let class = if dropped {
                self.drop_call(job)
            } else {
                self.call(job).await
            };
            self.book.borrow_mut().end(number, class);
            match class {
                Class::Ok => self.plan.borrow_mut().answered(number),
                _ => self.cx.sleep(PAUSE).await,
            }
        }
    }

    /// Makes a call, of which nobody will know what became.
    fn drop_call(&self, job: Job) -> Class {
        drop(self.make(job));
        Class::Unknown
    }

    fn make(&self, job: Job) -> Call<work::Run> {
        let deadline_ns = (self.cx.wall() + self.deadline).as_nanos() as u64;
        self.work.run(Job { deadline_ns, ..job })
    }

    async fn call(&self, job: Job) -> Class {
        let begun = self.cx.now();
        let expected = Done {
            number: job.number,
            ballast: job.ballast.clone(),
        };
        let outcome = self.make(job).await;
        if let Err(error) = &outcome {
            self.book.borrow_mut().fail(expected.number, error);
        }
        if self.cx.now() > begun + self.deadline + PATIENCE {
            return Class::Silent;
        }
        Class::of(&expected, &outcome)
    }
}
