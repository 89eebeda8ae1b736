//! Callers of methods that stream.

use core::time::Duration;

use parigot_guest::future::{join, timeout};
use parigot_guest::futures_lite::StreamExt;
use parigot_guest::{CallError, Context, Error, Exit, Fate, TrySendError, info};

use crate::feed::*;
use crate::stream::desk::item;
use crate::stream::peer::*;

#[test]
fn responses_arrive_in_order_and_end_with_the_reply() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let mut items = FeedClient::locate(&cx)?.watch(item("all"));
        while let Some(item) = items.next().await? {
            info!(cx, "{}", item.text);
        }
        let metadata = items.metadata().expect("the stream is complete");
        let served_by = metadata.headers().get("served-by");
        info!(cx, "{served_by:?} {:?}", metadata.trailers().get("cost"));
        // The end stays the end.
        assert!(items.next().await?.is_none());
        Ok(Exit::SUCCESS)
    }
    let (mut peer, sent) = Peer::calling(main);
    assert_eq!(sent, ["call a: 1 all"]);
    let frames = [
        peer.headers('a', "served-by", "desk"),
        peer.response('a', "one"),
    ];
    assert_eq!(peer.turn(frames), ["one"]);
    let frames = [peer.response('a', "two"), peer.reply('a', &[])];
    assert_eq!(
        peer.turn(frames),
        [
            "credit a: 6 4106",
            "two",
            "Some(\"desk\") Some(\"1\")",
            "exit 0"
        ]
    );
}

#[test]
fn a_failure_follows_the_responses_and_stays() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let mut items = FeedClient::locate(&cx)?.watch(item(""));
        cx.sleep(Duration::from_secs(1)).await;
        for _ in 0..3 {
            match items.next().await {
                Ok(item) => info!(cx, "{}", item.is_some_and(|item| item.text == "one")),
                Err(CallError::Service(error, _)) => info!(cx, "{error}"),
                Err(error) => info!(cx, "{error}"),
            }
        }
        assert!(StreamExt::next(&mut items).await.is_none());
        Ok(Exit::SUCCESS)
    }
    let (mut peer, _) = Peer::calling(main);
    let frames = [peer.response('a', "one"), peer.reply_error('a', 1)];
    assert!(peer.turn(frames).is_empty());
    peer.guest.now_ns += 1_000_000_000;
    let again = "FAILED_PRECONDITION: the stream of responses has failed before \
                 (streams.Feed/Watch)";
    assert_eq!(peer.turn([]), ["true", "FULL", again, "exit 0"]);
}

#[test]
fn leaving_a_stream_early_cancels_its_call() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let feed = FeedClient::locate(&cx)?;
        drop(feed.watch(item("unread")));
        let mut items = feed.watch(item("read"));
        items.next().await?;
        drop(items);
        Ok(Exit::SUCCESS)
    }
    let (mut peer, sent) = Peer::calling(main);
    assert_eq!(sent, ["call a: 1 unread", "cancel a", "call b: 1 read"]);
    let frames = [peer.response('a', "late"), peer.response('b', "one")];
    assert_eq!(peer.turn(frames), ["cancel b", "exit 0"]);
}

#[test]
fn a_response_that_cannot_be_decoded_cancels_the_call() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let mut items = FeedClient::locate(&cx)?.watch(item(""));
        let error = items.next().await.expect_err("the item cannot be decoded");
        info!(cx, "{}", error.fate());
        Ok(Exit::SUCCESS)
    }
    let (mut peer, _) = Peer::calling(main);
    let frames = [peer.response_bytes('a', &[0xff])];
    assert_eq!(peer.turn(frames), ["cancel a", "unknown", "exit 0"]);
}

#[test]
fn requests_wait_for_credit_and_finish_returns_the_response() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let mut upload = FeedClient::locate(&cx)?.upload();
        for number in 0..5 {
            upload.send(item(number.to_string())).await?;
        }
        let full = upload.try_send(item("full"));
        info!(cx, "{}", matches!(full, Err(TrySendError::Full(_))));
        let receipt = upload.finish().await?;
        info!(cx, "receipt {}", receipt.items);
        Ok(Exit::SUCCESS)
    }
    let (mut peer, sent) = Peer::calling(main);
    let first = [
        "call a: 2 ",
        "item a: 0",
        "item a: 1",
        "item a: 2",
        "item a: 3",
    ];
    assert_eq!(sent, first);
    let frames = [peer.request_credit('a', 5, 0)];
    assert_eq!(peer.turn(frames), ["item a: 4", "true", "end a"]);
    let frames = [peer.reply('a', &[8, 5])];
    assert_eq!(peer.turn(frames), ["receipt 5", "exit 0"]);
}

#[test]
fn an_unfinished_upload_is_cancelled() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let mut upload = FeedClient::locate(&cx)?.upload();
        upload.send(item("one")).await?;
        drop(upload);
        Ok(Exit::SUCCESS)
    }
    let (_, sent) = Peer::calling(main);
    assert_eq!(sent, ["call a: 2 ", "item a: one", "cancel a", "exit 0"]);
}

#[test]
fn an_early_reply_closes_the_requests() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let mut upload = FeedClient::locate(&cx)?.upload();
        while upload.send(item("")).await.is_ok() {}
        info!(cx, "closed {}", upload.is_closed());
        let closed = upload.try_send(item("?"));
        assert!(matches!(closed, Err(TrySendError::Closed(_))));
        match upload.finish().await {
            Ok(receipt) => info!(cx, "receipt {}", receipt.items),
            Err(error) => info!(cx, "{error}"),
        }
        Ok(Exit::SUCCESS)
    }
    for (is_success, text) in [(true, "receipt 2"), (false, "FULL")] {
        let (mut peer, _) = Peer::calling(main);
        let reply = if is_success {
            peer.reply('a', &[8, 2])
        } else {
            peer.reply_error('a', 1)
        };
        assert_eq!(peer.turn([reply]), ["closed true", text, "exit 0"]);
    }
}

#[test]
fn a_request_that_is_too_large_fails_the_call() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let feed = FeedClient::locate(&cx)?;
        let large = || item("x".repeat(1 << 20));
        let mut upload = feed.upload();
        assert!(upload.send(large()).await.is_err());
        let error = upload.finish().await.expect_err("too large");
        assert_eq!(error.fate(), Fate::Unknown, "the handler may have begun");
        info!(cx, "{error}");
        let mut items = feed.watch(large());
        info!(cx, "{}", items.next().await.expect_err("too large"));
        let (mut notes, mut answers) = feed.chat();
        assert!(notes.send(large()).await.is_err());
        info!(cx, "{}", answers.next().await.expect_err("too large"));
        Ok(Exit::SUCCESS)
    }
    let (_, sent) = Peer::calling(main);
    let failure = |cause: &str, method: &str| {
        format!(
            "RESOURCE_EXHAUSTED: {cause}: request of 1048580 bytes exceeds the limit of \
             1048576 (streams.Feed/{method})"
        )
    };
    let upload = failure("cancelled", "Upload");
    let watch = failure("too large", "Watch");
    let chat = failure("cancelled", "Chat");
    let expected = [
        "call a: 2 ",
        "cancel a",
        &upload,
        &watch,
        "call b: 3 ",
        "cancel b",
        &chat,
    ];
    assert_eq!(sent[..7], expected);
}

#[test]
fn the_ends_of_a_call_work_in_different_tasks() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let (mut notes, mut answers) = FeedClient::locate(&cx)?.chat();
        let send = async {
            for number in 0..6 {
                notes.send(item(number.to_string())).await?;
            }
            notes.finish();
            Ok::<_, Error>(())
        };
        let read = async {
            let mut texts = Vec::new();
            while let Some(answer) = answers.next().await? {
                texts.push(answer.text);
            }
            Ok::<_, Error>(texts.join(" "))
        };
        let (sent, read) = join((send, read)).await;
        sent?;
        info!(cx, "{}", read?);
        Ok(Exit::SUCCESS)
    }
    let (mut peer, sent) = Peer::calling(main);
    assert_eq!(sent.len(), 5);
    let frames = [peer.response('a', "0"), peer.request_credit('a', 6, 0)];
    assert_eq!(peer.turn(frames), ["item a: 4", "item a: 5", "end a"]);
    let frames = [peer.response('a', "1"), peer.reply('a', &[])];
    assert_eq!(peer.turn(frames), ["credit a: 6 4102", "0 1", "exit 0"]);
}

#[test]
fn a_sink_dropped_without_finish_cancels_and_fails_the_responses() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let (mut notes, mut answers) = FeedClient::locate(&cx)?.chat();
        notes.send(item("one")).await?;
        cx.spawn(async move { drop(notes) });
        info!(cx, "{}", answers.next().await.expect_err("cancelled"));
        Ok(Exit::SUCCESS)
    }
    let (_, sent) = Peer::calling(main);
    let failure = "CANCELLED: cancelled: the requests were dropped without `finish` \
                   (streams.Feed/Chat)";
    assert_eq!(
        sent,
        ["call a: 3 ", "item a: one", "cancel a", failure, "exit 0"]
    );
}

#[test]
fn dropped_responses_close_the_requests() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let (mut notes, answers) = FeedClient::locate(&cx)?.chat();
        cx.spawn(async move { drop(answers) });
        while notes.send(item("")).await.is_ok() {}
        info!(cx, "closed");
        Ok(Exit::SUCCESS)
    }
    let (_, sent) = Peer::calling(main);
    assert_eq!(sent[5..], ["cancel a", "closed", "exit 0"]);
}

#[test]
fn a_sink_dropped_after_the_reply_keeps_the_reply() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let (mut notes, mut answers) = FeedClient::locate(&cx)?.chat();
        while notes.send(item("")).await.is_ok() {}
        drop(notes);
        while answers.next().await?.is_some() {}
        info!(cx, "complete");
        Ok(Exit::SUCCESS)
    }
    let (mut peer, _) = Peer::calling(main);
    let frames = [peer.response('a', "one"), peer.reply('a', &[])];
    assert_eq!(peer.turn(frames), ["complete", "exit 0"]);
}

#[test]
fn a_timeout_of_one_response_loses_none() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let mut items = FeedClient::locate(&cx)?.watch(item(""));
        let late = timeout(&cx, Duration::from_secs(1), items.next()).await;
        info!(cx, "{}", late.is_err());
        while let Some(item) = StreamExt::try_next(&mut items).await? {
            info!(cx, "{}", item.text);
        }
        Ok(Exit::SUCCESS)
    }
    let (mut peer, _) = Peer::calling(main);
    peer.guest.now_ns += 1_000_000_000;
    assert_eq!(peer.turn([]), ["true"]);
    let frames = [peer.response('a', "one"), peer.reply('a', &[])];
    assert_eq!(peer.turn(frames), ["one", "exit 0"]);
}
