//! A program that uses a stream of each kind.

use parigot_guest::future::join;
use parigot_guest::{CallError, Closed, Context, Error, Exit, info};
use stubs::chat::v1::{ChatClient, Note};
use stubs::feed::v1::{FeedClient, WatchRequest};
use stubs::upload::v1::{Chunk, CountRequest, UploadClient, UploadErr};

#[parigot_guest::program(requires(FeedClient, UploadClient, ChatClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    read(&cx).await?;
    store(&cx).await?;
    talk(&cx).await?;
    Ok(Exit::SUCCESS)
}

/// Reads a server stream, and cancels it.
async fn read(cx: &Context) -> Result<(), Error> {
    let feed = FeedClient::locate(cx)?;
    let mut headlines = feed.watch(WatchRequest {
        topic: "weather".into(),
    });
    while let Some(headline) = headlines.next().await? {
        info!(cx, "{}", headline.text);
        if headline.number == 3 {
            // The stream has no end: dropping it cancels the call.
            break;
        }
    }
    Ok(())
}

/// Uploads a file, one that is too large, and one that breaks off.
async fn store(cx: &Context) -> Result<(), Error> {
    let client = UploadClient::locate(cx)?;
    let chunk = || Chunk {
        data: vec![0; 1_000],
    };

    let mut upload = client.store();
    for _ in 0..10 {
        // Fails if the service has ended the call. The result of the call then tells why.
        if upload.send(chunk()).await.is_err() {
            break;
        }
    }
    let stored = upload.finish().await?;
    info!(
        cx,
        "stored {} bytes in {} chunks", stored.bytes, stored.chunks
    );

    let mut upload = client.store();
    while upload.send(chunk()).await.is_ok() {}
    match upload.finish().await {
        Err(CallError::Service(UploadErr::TooLarge, _)) => info!(cx, "too large"),
        other => info!(cx, "unexpected: {other:?}"),
    }

    let mut upload = client.store();
    upload.send(chunk()).await?;
    // Without `finish` the service does not take the file for a complete one.
    drop(upload);
    info!(
        cx,
        "{} file is stored",
        client.count(CountRequest {}).await?.files
    );
    Ok(())
}

/// Sends notes while it reads the answers.
async fn talk(cx: &Context) -> Result<(), Error> {
    let (mut notes, mut answers) = ChatClient::locate(cx)?.talk();
    let send = async {
        for text in ["hello", "is it warm?", "bye"] {
            notes.send(Note { text: text.into() }).await?;
        }
        notes.finish();
        Ok::<(), Closed>(())
    };
    let read = async {
        while let Some(answer) = answers.next().await? {
            info!(cx, "chat: {}", answer.text);
        }
        Ok::<(), Error>(())
    };
    let (_, read) = join((send, read)).await;
    read
}
