//! Serves load.v1.Store, which never answers, and logs when a call begins and when it is cancelled.
//! Serves load.v1.Shelf, which answers when a call of load.v1.Store has begun.

use std::cell::RefCell;
use std::collections::HashSet;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use golden::load::load::v1::{Done, Job, Shelf, ShelfServer, Store, StoreServer};
use parigot_guest::{Context, Status};

#[derive(Default)]
struct Keeper {
    /// Caller and number of each job that was ever kept.
    kept: RefCell<HashSet<(u32, u64)>>,
    /// Calls of load.v1.Shelf that wait for a job.
    searchers: RefCell<Vec<Waker>>,
}

impl Store for Keeper {
    async fn keep(&self, cx: &Context, job: Job) -> Result<Done, Status> {
        parigot_guest::info!(cx, "keeps {}/{}", job.caller, job.number);
        self.kept.borrow_mut().insert((job.caller, job.number));
        self.searchers.take().into_iter().for_each(Waker::wake);
        let _kept = Kept {
            cx: cx.clone(),
            job,
        };
        std::future::pending().await
    }
}

impl Shelf for Keeper {
    async fn find(&self, _: &Context, job: Job) -> Result<Done, Status> {
        poll_fn(|task| {
            if self.kept.borrow().contains(&(job.caller, job.number)) {
                return Poll::Ready(Ok(Done {
                    number: job.number,
                    ..Done::default()
                }));
            }
            self.searchers.borrow_mut().push(task.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// Logs that the handler was dropped.
struct Kept {
    cx: Context,
    job: Job,
}

impl Drop for Kept {
    fn drop(&mut self) {
        parigot_guest::info!(self.cx, "let go of {}/{}", self.job.caller, self.job.number);
    }
}

parigot_guest::service!(Keeper, exports(StoreServer, ShelfServer));
