//! Answers each `Watch` with copies of its request, without end.

use golden::streams::streams::{Feed, FeedErr, FeedServer, Item, Receipt};
use parigot_guest::{Context, Failure, Requests, Responses};

#[derive(Default)]
struct Copying;

impl Feed for Copying {
    async fn last(&self, _: &Context, request: Item) -> Result<Item, Failure<FeedErr>> {
        Ok(request)
    }

    async fn watch(
        &self,
        _: &Context,
        request: Item,
        responses: &mut Responses<Item>,
    ) -> Result<(), Failure<FeedErr>> {
        loop {
            responses.send(request.clone()).await?;
        }
    }

    async fn upload(
        &self,
        _: &Context,
        _: &mut Requests<Item>,
    ) -> Result<Receipt, Failure<FeedErr>> {
        Err(FeedErr::Full.into())
    }

    async fn chat(
        &self,
        _: &Context,
        _: &mut Requests<Item>,
        _: &mut Responses<Item>,
    ) -> Result<(), Failure<FeedErr>> {
        Err(FeedErr::Full.into())
    }
}

parigot_guest::service!(Copying, exports(FeedServer));
