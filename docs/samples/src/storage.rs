//! A program that keeps its state in a store.

use parigot_guest::kv::{Kv, KvClient, KvErr};
use parigot_guest::prost_types::Timestamp;
use parigot_guest::{Context, Error, Exit, info};

// ANCHOR: program
#[parigot_guest::program(requires(KvClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let kv = Kv::locate(&cx)?;
    match kv.get("last").await?.entry {
        Some(last) => info!(cx, "last visit: {}", String::from_utf8_lossy(&last.value)),
        None => info!(cx, "first visit"),
    }
    kv.set("last", "today").await?;
    Ok(Exit::SUCCESS)
}
// ANCHOR_END: program

/// Shows the operations of a store.
pub async fn operations(cx: &Context) -> Result<(), Error> {
    // ANCHOR: operations
    let kv = Kv::locate(cx)?;
    let hour = std::time::Duration::from_secs(3_600);
    kv.set("session/7", "ann").ttl(hour).await?;

    // Only if no other guest has written the entry.
    let first = kv.set("leader", "me").if_absent().await;
    if first.is_err_and(|error| error.service_error() == Some(&KvErr::RevisionMismatch)) {
        info!(cx, "another guest leads");
    }

    // All of it, or nothing.
    let batch = kv.batch().set("a", "1").delete("b").check("c", 0);
    let revisions = batch.await?.revisions;
    info!(cx, "a has the revision {}", revisions[0]);

    let mut sessions = kv.scan("session/").keys_only();
    while let Some(session) = sessions.next().await? {
        info!(cx, "{}", session.key);
    }

    // Reads, changes and writes a message; repeats this if another guest was faster.
    let visits = kv.typed::<Timestamp>();
    let now = visits
        .update("visits", |visits| visits.seconds += 1)
        .await?;
    info!(cx, "{} visits", now.seconds);
    // ANCHOR_END: operations
    Ok(())
}

#[cfg(test)]
mod tests {
    use parigot_guest::testing::{FakeKv, TestGuest};

    use super::GUEST;

    // ANCHOR: test
    #[test]
    fn a_visit_is_kept() {
        let sessions = FakeKv::new("sessions");
        sessions.set("last", "yesterday");
        let mut visits = TestGuest::new(GUEST).fake(sessions.fake()).start();
        assert_eq!(visits.wait_for_exit(), 0);
        assert_eq!(sessions.get("last").as_deref(), Some(&b"today"[..]));
    }
    // ANCHOR_END: test

    #[test]
    fn the_operations_of_the_guide_succeed() {
        let sessions = FakeKv::new("sessions");
        let mut guest = TestGuest::new(operations::GUEST)
            .fake(sessions.fake())
            .start();
        assert_eq!(guest.wait_for_exit(), 0);
        assert_eq!(sessions.get("a").as_deref(), Some(&b"1"[..]));
        assert_eq!(sessions.get("session/7").as_deref(), Some(&b"ann"[..]));
    }

    mod operations {
        use parigot_guest::kv::KvClient;
        use parigot_guest::{Context, Error, Exit};

        #[parigot_guest::program(requires(KvClient))]
        async fn main(cx: Context) -> Result<Exit, Error> {
            cx.launch().await?;
            super::super::operations(&cx).await?;
            Ok(Exit::SUCCESS)
        }
    }
}
