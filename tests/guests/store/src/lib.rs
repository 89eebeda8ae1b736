//! Serves load.v1.Store: never answers, and says when it begins a call and when nobody waits for it any more.

use golden::load::load::v1::{Done, Job, Store, StoreServer};
use parigot_guest::{Context, Status};

#[derive(Default)]
struct Keeper;

impl Store for Keeper {
    async fn keep(&self, cx: &Context, job: Job) -> Result<Done, Status> {
        parigot_guest::info!(cx, "keeps {}/{}", job.caller, job.number);
        let _kept = Kept { cx: cx.clone(), job };
        std::future::pending().await
    }
}

/// Says that the handler was dropped.
struct Kept {
    cx: Context,
    job: Job,
}

impl Drop for Kept {
    fn drop(&mut self) {
        parigot_guest::info!(self.cx, "let go of {}/{}", self.job.caller, self.job.number);
    }
}

parigot_guest::service!(Keeper, exports(StoreServer));
