//! A service whose handlers do what their first item says.

use core::time::Duration;

use parigot_guest::future::timeout;
use parigot_guest::futures_lite::stream;
use parigot_guest::{Context, Failure, Requests, Responses, info};

use crate::feed::*;

#[derive(Default)]
pub(crate) struct Desk;

/// Logs its drop.
struct Dropped(Context);

impl Drop for Dropped {
    fn drop(&mut self) {
        info!(self.0, "dropped");
    }
}

pub(crate) fn item(text: impl Into<String>) -> Item {
    Item { text: text.into() }
}

impl Feed for Desk {
    async fn last(&self, _: &Context, request: Item) -> Result<Item, Failure<FeedErr>> {
        Ok(request)
    }

    async fn watch(
        &self,
        cx: &Context,
        request: Item,
        responses: &mut Responses<Item>,
    ) -> Result<(), Failure<FeedErr>> {
        let _dropped = Dropped(cx.background());
        let (command, argument) = request.text.split_once(' ').unwrap_or((&request.text, ""));
        match argument.parse::<usize>() {
            Ok(count) => send(command, count, responses).await,
            Err(_) => act(command, cx, responses).await,
        }
    }

    async fn upload(
        &self,
        cx: &Context,
        requests: &mut Requests<Item>,
    ) -> Result<Receipt, Failure<FeedErr>> {
        let _dropped = Dropped(cx.background());
        let mut items = 0;
        while let Some(Item { text }) = requests.next().await.inspect_err(|error| {
            info!(cx, "{error}");
        })? {
            items += 1;
            match &*text {
                "stop" => break,
                "fail" => return Err(FeedErr::Full.into()),
                "sleep" => cx.sleep(Duration::from_secs(1)).await,
                "timeout" => {
                    let next = timeout(cx, Duration::from_secs(1), requests.next()).await;
                    info!(cx, "timed out: {}", next.is_err());
                }
                _ => {}
            }
        }
        Ok(Receipt { items })
    }

    async fn chat(
        &self,
        _: &Context,
        requests: &mut Requests<Item>,
        responses: &mut Responses<Item>,
    ) -> Result<(), Failure<FeedErr>> {
        while let Some(request) = requests.next().await? {
            responses.send(request).await?;
        }
        Ok(())
    }
}

/// Sends items, as many or as long as `count` says.
async fn send(
    command: &str,
    count: usize,
    responses: &mut Responses<Item>,
) -> Result<(), Failure<FeedErr>> {
    match command {
        "count" => {
            for number in 0..count {
                responses.send(item(number.to_string())).await?;
            }
        }
        "all" => {
            let items = stream::iter((0..count).map(|number| item(number.to_string())));
            responses.send_all(items).await?;
        }
        "bytes" => loop {
            responses.send(item("x".repeat(count))).await?;
        },
        "careless" => {
            let _ = responses.send(item("x".repeat(count))).await;
            let _ = responses.send(item("more")).await;
        }
        other => panic!("unknown command {other}"),
    }
    Ok(())
}

/// Uses the sink in the way that the command says.
async fn act(
    command: &str,
    cx: &Context,
    responses: &mut Responses<Item>,
) -> Result<(), Failure<FeedErr>> {
    match command {
        "conclude" => {
            while responses.send(item("")).await.is_ok() {}
            cx.yield_now().await;
            info!(cx, "closed {}", responses.is_closed());
        }
        "sleep" => {
            responses.send(item("before")).await?;
            cx.sleep(Duration::from_secs(1)).await;
            responses.send(item("after")).await?;
        }
        "fail" => {
            responses.send(item("one")).await?;
            return Err(FeedErr::Full.into());
        }
        "headers" => {
            cx.set_header("served-by", "desk");
            cx.set_trailer("cost", "1");
            responses.send(item("one")).await?;
            cx.set_header("late", "yes");
            cx.set_trailer("cost", "2");
        }
        "open" => {
            cx.set_header("served-by", "desk");
            responses.open();
            responses.open();
            cx.sleep(Duration::from_secs(1)).await;
        }
        "open-bare" => responses.open(),
        "try" => {
            let mut sent = 0;
            while responses.try_send(item("")).is_ok() {
                sent += 1;
            }
            let full = responses.try_send(item("full"));
            info!(
                cx,
                "sent {sent}, then {}",
                full.is_err_and(|error| error.is_full())
            );
            responses.ready().await?;
            assert!(responses.try_send(item("last")).is_ok());
        }
        other => panic!("unknown command {other}"),
    }
    Ok(())
}
