//! Methods that stream.

use golden::streams::streams::{FeedClient, FeedErr, Item, Receipt};
use parigot_guest::future::join;
use parigot_guest::{Closed, Context, Error, Failure, Requests, Responses};

/// Service whose methods stream.
#[derive(Debug)]
pub struct News;

// ANCHOR: handler
impl golden::streams::streams::Feed for News {
    async fn watch(
        &self,
        cx: &Context,
        request: Item,
        responses: &mut Responses<Item>,
    ) -> Result<(), Failure<FeedErr>> {
        for _ in 0..10 {
            responses.send(request.clone()).await?;
            cx.sleep(std::time::Duration::from_secs(1)).await;
        }
        Ok(())
    }

    async fn upload(
        &self,
        _: &Context,
        requests: &mut Requests<Item>,
    ) -> Result<Receipt, Failure<FeedErr>> {
        let mut items = 0;
        while let Some(_item) = requests.next().await? {
            items += 1;
        }
        Ok(Receipt { items })
    }

    async fn chat(
        &self,
        _: &Context,
        requests: &mut Requests<Item>,
        responses: &mut Responses<Item>,
    ) -> Result<(), Failure<FeedErr>> {
        while let Some(note) = requests.next().await? {
            responses.send(note).await?;
        }
        Ok(())
    }
    // ANCHOR_END: handler

    async fn last(&self, _: &Context, request: Item) -> Result<Item, Failure<FeedErr>> {
        Ok(request)
    }
}

/// Makes a call of each kind.
///
/// # Errors
///
/// If a call fails.
// ANCHOR: caller
pub async fn stream(feed: &FeedClient, items: Vec<Item>) -> Result<(), Error> {
    let mut watched = feed.watch(Item::default());
    while let Some(_item) = watched.next().await? {
        // …
    }

    let mut upload = feed.upload();
    for item in &items {
        if upload.send(item.clone()).await.is_err() {
            break; // The service has ended the call: `finish` returns its result.
        }
    }
    let _receipt = upload.finish().await?;

    let (mut notes, mut answers) = feed.chat();
    let send = async {
        for item in items {
            notes.send(item).await?;
        }
        notes.finish();
        Ok::<(), Closed>(())
    };
    let read = async {
        while let Some(_answer) = answers.next().await? {
            // …
        }
        Ok::<(), Error>(())
    };
    let (_, read) = join((send, read)).await;
    read
}
// ANCHOR_END: caller
