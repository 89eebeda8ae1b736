//! Streams of random kinds and lengths, whose items are counted at both ends.

use golden::streams::streams::FeedClient;
use parigot_guest::future::join;
use parigot_guest::rand_core::RngCore;
use parigot_guest::{Context, Fate};

use crate::text::{item, number};

/// Counts of a run.
#[derive(Default)]
struct Ledger {
    items: u64,
    complete: u64,
    dropped: u64,
    /// Streams that the end of the service has broken off.
    broken: u64,
    refused: u64,
    /// Streams that lacked an item, or whose end was wrong.
    wrong: u64,
}

/// End of one stream.
enum End {
    Complete,
    Dropped,
    Failed(Fate),
    Wrong,
}

/// Streams until so many items have arrived, eight streams at a time. In every eighth round the
/// service panics.
pub(crate) async fn run(cx: &Context, feed: &FeedClient, items: u64) -> String {
    let mut ledger = Ledger::default();
    let mut round = 0;
    while ledger.items < items {
        round += 1;
        let streams = (0..8).map(async |index| {
            let count = cx.random().next_u32() as usize % 600;
            let leave_after = cx.random().next_u32() as usize % 1_200;
            match cx.random().next_u32() % 3 {
                _ if round % 8 == 0 && index == 0 => panicking(feed, count).await,
                0 => upload(feed, count, leave_after).await,
                1 => chat(feed, count, leave_after).await,
                _ => watch(feed, count, leave_after).await,
            }
        });
        for (items, end) in join(streams.collect::<Vec<_>>()).await {
            ledger.items += items as u64;
            match end {
                End::Complete => ledger.complete += 1,
                End::Dropped => ledger.dropped += 1,
                End::Failed(Fate::Unknown) => ledger.broken += 1,
                End::Failed(Fate::Refused) if items == 0 => {
                    ledger.refused += 1;
                    cx.sleep(std::time::Duration::from_millis(1)).await;
                }
                End::Failed(_) | End::Wrong => ledger.wrong += 1,
            }
        }
    }
    let Ledger {
        items,
        complete,
        dropped,
        broken,
        refused,
        wrong,
    } = ledger;
    assert!(items > 0 && complete > 0, "some streams must be complete");
    format!(
        "wrong {wrong}, items {items}, complete {complete}, dropped {dropped}, broken {broken}, \
         refused {refused}"
    )
}

async fn watch(feed: &FeedClient, count: usize, leave_after: usize) -> (usize, End) {
    read(
        feed.watch(item(format!("count {count}"))),
        count,
        leave_after,
    )
    .await
}

/// Reads a stream during which the service panics.
async fn panicking(feed: &FeedClient, count: usize) -> (usize, End) {
    match read(
        feed.watch(item(format!("panic {count}"))),
        count,
        usize::MAX,
    )
    .await
    {
        (items, End::Complete) => (items, End::Wrong),
        end => end,
    }
}

/// Reads items that are numbers from 0.
async fn read<M>(
    mut responses: parigot_guest::ResponseStream<M>,
    count: usize,
    leave_after: usize,
) -> (usize, End)
where
    M: parigot_guest::Method<
            Response = golden::streams::streams::Item,
            Error = golden::streams::streams::FeedErr,
        >,
{
    for expected in 0..leave_after {
        match responses.next().await {
            Ok(Some(item)) if number(&item.text) == expected => {}
            Ok(None) if expected == count => return (expected, End::Complete),
            Ok(_) => return (expected, End::Wrong),
            Err(error) => return (expected, End::Failed(error.fate())),
        }
    }
    (leave_after, End::Dropped)
}

async fn upload(feed: &FeedClient, count: usize, leave_after: usize) -> (usize, End) {
    let mut upload = feed.upload();
    for number in 0..count {
        if number == leave_after {
            return (number, End::Dropped);
        }
        if upload.send(item("x".repeat(number % 50))).await.is_err() {
            break;
        }
    }
    match upload.finish().await {
        Ok(receipt) if receipt.items as usize == count => (count, End::Complete),
        Ok(_) => (count, End::Wrong),
        Err(error) => (0, End::Failed(error.fate())),
    }
}

async fn chat(feed: &FeedClient, count: usize, leave_after: usize) -> (usize, End) {
    let (mut notes, answers) = feed.chat();
    let send = async {
        for number in 0..count {
            if notes.send(item(number.to_string())).await.is_err() {
                return;
            }
        }
        notes.finish();
    };
    let ((), end) = join((send, read(answers, count, leave_after))).await;
    end
}
