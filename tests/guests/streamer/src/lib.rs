//! A program that makes streaming calls of streams.Feed, one after the other, and logs how each
//! ends. An argument is a call:
//!
//! | argument | call |
//! |---|---|
//! | `watch=REQUEST` | reads all responses |
//! | `watch/5=REQUEST` | drops the stream after 5 responses |
//! | `watch@50=REQUEST` | has a deadline of 50 ms |
//! | `upload=TEXT,TEXT` | uploads these items; without the end if it ends with `…` |
//! | `chat=9` | sends 9 items while it reads the answers |
//! | `chat/50=9` | pauses for 50 ms between the items |
//! | `last=TEXT` | a unary call |
//! | `unread=9:REQUEST` | opens 9 streams and reads none; they stay open |
//! | `dropped=9:REQUEST` | opens 9 streams, one after the other, and drops each |
//! | `ledger=9` | streams until 9 items have arrived, while the service fails now and then |
//! | `flood=9` | 9 unary calls after each other, beside streams without end |

mod ledger;
mod text;

use std::time::Duration;

use golden::streams::streams::{FeedClient, FeedErr, Item};
use parigot_guest::future::join;
use parigot_guest::{CallError, Client, Context, Error, Exit, Fate, ResponseStream, info};

use crate::text::{item, number};

#[parigot_guest::program(requires(FeedClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let feed = FeedClient::locate(&cx)?;
    let mut unread = Vec::new();
    for argument in cx.args() {
        let (word, text) = argument.split_once('=').expect("an argument is a call");
        let (name, option) = match word.find(['/', '@']) {
            Some(at) => word.split_at(at),
            None => (word, ""),
        };
        let outcome = match name {
            "watch" => watch(&feed, option, text).await,
            "upload" => upload(&feed, text).await,
            "chat" => chat(&cx, &feed, option, number(text)).await,
            "last" => ending(feed.last(item(text)).await.map(|item| item.text)),
            "unread" => {
                let (count, request) = text.split_once(':').expect("a number and a request");
                unread.extend((0..number(count)).map(|_| feed.watch(item(request))));
                format!("{} open", unread.len())
            }
            "dropped" => dropped(&feed, text).await,
            "ledger" => ledger::run(&cx, &feed, number(text) as u64).await,
            "flood" => flood(&feed, number(text)).await,
            other => panic!("unknown call {other}"),
        };
        info!(cx, "{argument}: {outcome}");
    }
    if !unread.is_empty() {
        std::future::pending::<()>().await;
    }
    Ok(Exit::SUCCESS)
}

fn ending<T: ToString>(result: Result<T, CallError<FeedErr>>) -> String {
    match result {
        Ok(response) => response.to_string(),
        Err(error) => {
            let fate = match error.fate() {
                Fate::Answered => "answered",
                Fate::Refused => "refused",
                Fate::Unknown => "unknown",
            };
            format!("{fate}: {error}")
        }
    }
}

async fn watch(feed: &FeedClient, option: &str, request: &str) -> String {
    let feed = match option.strip_prefix('@') {
        Some(ms) => feed.with_deadline(Duration::from_millis(number(ms) as u64)),
        None => feed.clone(),
    };
    let items_max = option.strip_prefix('/').map_or(usize::MAX, number);
    let mut responses = feed.watch(item(request));
    let (count, end) = read(&mut responses, items_max).await;
    format!("{count} items, {}", ending(end.map(|()| "complete")))
}

/// Reads responses, at most so many. Returns their number, and how the stream has ended.
async fn read<M>(
    responses: &mut ResponseStream<M>,
    items_max: usize,
) -> (usize, Result<(), CallError<FeedErr>>)
where
    M: parigot_guest::Method<Response = Item, Error = FeedErr>,
{
    for count in 0..items_max {
        match responses.next().await {
            Ok(Some(_)) => {}
            Ok(None) => return (count, Ok(())),
            Err(error) => return (count, Err(error)),
        }
    }
    (items_max, Ok(()))
}

async fn upload(feed: &FeedClient, texts: &str) -> String {
    let mut upload = feed.upload();
    for text in texts.split(',') {
        if text == "…" {
            return "broken off".into();
        }
        if upload.send(item(text)).await.is_err() {
            break;
        }
    }
    ending(upload.finish().await.map(|receipt| receipt.items))
}

async fn chat(cx: &Context, feed: &FeedClient, pause: &str, count: usize) -> String {
    let pause_ms = pause.strip_prefix('/').map_or(0, number) as u64;
    let (mut notes, mut answers) = feed.chat();
    let send = async {
        for number in 0..count {
            if number > 0 && pause_ms > 0 {
                cx.sleep(Duration::from_millis(pause_ms)).await;
            }
            notes.send(item(number.to_string())).await?;
        }
        notes.finish();
        Ok::<(), parigot_guest::Closed>(())
    };
    let (sent, (answered, end)) = join((send, read(&mut answers, usize::MAX))).await;
    format!(
        "sent {}, {answered} items, {}",
        sent.is_ok(),
        ending(end.map(|()| "complete"))
    )
}

async fn dropped(feed: &FeedClient, text: &str) -> String {
    let (count, request) = text.split_once(':').expect("a number and a request");
    for _ in 0..number(count) {
        let mut responses = feed.watch(item(request));
        let (_, end) = read(&mut responses, 1).await;
        if let Err(error) = end {
            return ending::<&str>(Err(error));
        }
    }
    "dropped".into()
}

/// Makes unary calls beside streams that are read without a pause.
async fn flood(feed: &FeedClient, calls: usize) -> String {
    let calls = async {
        for _ in 0..calls {
            feed.last(item("x")).await?;
        }
        Ok::<(), CallError<FeedErr>>(())
    };
    let mut streams = [feed.watch(item("bytes 16")), feed.watch(item("bytes 16"))];
    let [first, second] = &mut streams;
    let streams = join((read(first, usize::MAX), read(second, usize::MAX)));
    let calls = async { Ok(calls.await) };
    let streams = async { Err(streams.await) };
    match parigot_guest::futures_lite::future::or(calls, streams).await {
        Ok(calls) => ending(calls.map(|()| "answered")),
        Err(_) => "the streams have ended".into(),
    }
}
