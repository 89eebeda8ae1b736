//! A program that calls load.v1.Work and logs how each of its calls has ended, in the lines that
//! `tests/load` reads.
//!
//! Its arguments are steps, in order. A step is the name of a deed, followed by any of these, in
//! this order: `:` and the deed's amount, `~` to do the deed in the background, `!` to drop the
//! call as soon as it is made, `*` and the number of calls. Two steps are special:
//!
//! - `Again`: jobs that do nothing, until one is answered; `Again*20`: until 20 are answered
//! - `Die`: panics
//!
//! Before the steps stand options, each with a value:
//!
//! - `--caller`: the number of this caller
//! - `--lanes`: calls in flight at a time
//! - `--rate`: calls per second, however many are in flight; replaces the lanes
//! - `--deadline-ms`: deadline of each call
//! - `--ballast-bytes`: extra bytes in each request and each answer
//! - `--harm-every` and `--harms`: one in so many jobs that do nothing does one of these deeds, a
//!   list
//!   separated by commas, instead; `--seed` determines which job does which deed
//!
//! It logs why calls fail, once for each cause until one is answered. When it has made all its
//! calls it keeps running until it is stopped, so that the host can be searched for calls that are
//! left.

mod book;
mod plan;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use golden::load::load::v1::{Done, Job, WorkClient, work};
use parigot_guest::{Call, Client, Context, Error, Exit};

use crate::book::{Book, Class};
use crate::plan::{Plan, Task};

/// Grace after a deadline, for busy machines. A call that ends later counts as silent.
const PATIENCE: Duration = Duration::from_secs(2);

/// Pause after a failed call, so that a service is not called millions of times while it restarts.
const PAUSE: Duration = Duration::from_millis(10);

#[parigot_guest::program(requires(WorkClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let plan = Plan::read(cx.args());
    let caller = plan.caller;
    let lanes = plan.lanes;
    let rate = plan.rate;
    let deadline = plan.deadline;
    let work = WorkClient::locate(&cx)?.with_deadline(deadline);
    let book = Rc::new(RefCell::new(Book::new(cx.clone(), caller)));
    let plan = Rc::new(RefCell::new(plan));
    let lane = Lane {
        cx: cx.clone(),
        work,
        plan: Rc::clone(&plan),
        book: Rc::clone(&book),
        deadline,
    };
    if rate > 0 {
        cx.spawn(lane.run_at(rate));
    } else {
        for _ in 0..lanes {
            cx.spawn(lane.clone().run());
        }
        drop(lane);
    }
    wait_for_lanes(&cx, &plan, deadline + PATIENCE).await;
    book.borrow_mut().close(plan.borrow().sent());
    std::future::pending().await
}

/// Waits until every lane has ended, or no new call was made for as long as a call may take.
async fn wait_for_lanes(cx: &Context, plan: &Rc<RefCell<Plan>>, silence_max: Duration) {
    let mut sent = 0;
    let mut since = cx.now();
    // Each running lane holds a reference to the plan, and so does `main`.
    while Rc::strong_count(plan) > 1 && cx.now() - since < silence_max {
        cx.sleep(PAUSE).await;
        if sent != plan.borrow().sent() {
            sent = plan.borrow().sent();
            since = cx.now();
        }
    }
}

/// Makes one call after the other.
#[derive(Clone)]
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

    /// Makes calls at a constant rate, whether or not the calls before have ended.
    async fn run_at(self, rate: u64) {
        let begun = self.cx.now();
        let mut made = 0;
        loop {
            let due = (self.cx.now() - begun).as_micros() as u64 * rate / 1_000_000;
            while made < due {
                let Some(Task::Call { job, .. }) = self.plan.borrow_mut().next() else {
                    return;
                };
                made += 1;
                let lane = self.clone();
                self.cx.spawn(async move {
                    let number = job.number;
                    let class = lane.call(job).await;
                    lane.book.borrow_mut().end(number, class);
                });
            }
            self.cx.sleep(Duration::from_millis(1)).await;
        }
    }

    /// Makes a call and drops it, so that its end stays unknown.
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
        let took = self.cx.now() - begun;
        if took > self.deadline + PATIENCE {
            return Class::Silent;
        }
        let class = Class::of(&expected, &outcome);
        if class == Class::Refused {
            self.book.borrow_mut().refused(took);
        }
        class
    }
}
