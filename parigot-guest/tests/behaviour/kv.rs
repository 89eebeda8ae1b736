//! The client of key-value stores.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parigot_guest::kv::v1::{Conflict, SetRequest, kv};
use parigot_guest::kv::{Kv, KvClient, KvErr, UPDATE_ATTEMPTS_MAX};
use parigot_guest::prost_types::Timestamp;
use parigot_guest::testing::{Answer, FakeKv, TestGuest};
use parigot_guest::{Context, Error, Exit};

/// Program that counts, and exits with the count.
mod counter {
    use super::*;

    #[parigot_guest::program(requires(KvClient))]
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let counts = Kv::locate(&cx)?.typed::<Timestamp>();
        let count = counts.update("count", |count| count.seconds += 1).await?;
        Ok(Exit::code(count.seconds as u8))
    }
}

/// Program that writes with each option of a write.
mod writer {
    use super::*;

    #[parigot_guest::program(requires(KvClient as "cache"))]
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let kv = Kv::locate_named(&cx, "cache")?;
        kv.set("a", "1").if_absent().await?;
        kv.set("b", "2")
            .if_revision(7)
            .ttl(Duration::from_millis(1_500))
            .await?;
        kv.set("c", "3").ttl(Duration::ZERO).await?;
        Ok(Exit::SUCCESS)
    }
}

#[test]
fn an_update_counts_over_runs() {
    let store = FakeKv::new("store");
    for count in 1..=3 {
        let mut guest = TestGuest::new(counter::GUEST).fake(store.fake()).start();
        assert_eq!(guest.wait_for_exit(), count);
    }
}

#[test]
fn an_update_is_repeated_after_a_conflict() {
    let store = FakeKv::new("store");
    let sets = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&sets);
    store
        .fake()
        .on::<kv::Set>(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
            0..3 => Err(KvErr::RevisionMismatch),
            _ => Ok(Default::default()),
        });
    let mut guest = TestGuest::new(counter::GUEST).fake(store.fake()).start();
    assert_eq!(guest.wait_for_exit(), 1);
    assert_eq!(sets.load(Ordering::SeqCst), 4);
}

#[test]
fn an_update_gives_up_after_its_attempts() {
    let store = FakeKv::new("store");
    store.fake().answer::<kv::Set>(|_| {
        let conflict = Conflict::default();
        Answer::error(KvErr::RevisionMismatch.with_detail(&conflict))
    });
    let mut guest = TestGuest::new(counter::GUEST).fake(store.fake()).start();
    assert_eq!(guest.wait_for_exit(), 1);
    let attempts = store.fake().requests::<kv::Set>().len();
    assert_eq!(attempts, UPDATE_ATTEMPTS_MAX as usize);
}

#[test]
fn options_of_a_write_reach_the_store() {
    let store = FakeKv::new("cache");
    store.fake().on::<kv::Set>(|_| Ok(Default::default()));
    let mut guest = TestGuest::new(writer::GUEST)
        .bind("cache", store.fake())
        .start();
    assert_eq!(guest.wait_for_exit(), 0);
    let options = |set: SetRequest| (set.if_revision, set.ttl_s);
    let sets = store.fake().requests::<kv::Set>().into_iter().map(options);
    let expected = [(Some(0), 0), (Some(7), 2), (None, 1)];
    assert_eq!(sets.collect::<Vec<_>>(), expected);
}
