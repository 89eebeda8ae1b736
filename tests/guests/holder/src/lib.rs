//! Serves load.v1.Work as `worker` does, but what it is asked for it does while it waits for a call to load.v1.Store.

use core::time::Duration;

use golden::load::load::v1::{Done, Job, StoreClient, Work, WorkServer};
use parigot_guest::{Context, NotReady, Ready, Status};

struct Holder {
    store: StoreClient,
}

impl Ready for Holder {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        Ok(Holder { store: StoreClient::locate(cx)? })
    }
}

impl Work for Holder {
    async fn run(&self, cx: &Context, job: Job) -> Result<Done, Status> {
        parigot_guest::info!(cx, "ran {}/{}", job.caller, job.number);
        let _held = self.store.keep(job);
        // The call leaves with the turn.
        cx.sleep(Duration::from_millis(1)).await;
        deeds::commit(cx, &job).await;
        Ok(Done { number: job.number })
    }
}

parigot_guest::service!(Holder, exports(WorkServer), requires(StoreClient));
