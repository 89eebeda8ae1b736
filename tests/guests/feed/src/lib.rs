//! Serves streams.Feed. The request of `Watch` is a command with an argument:
//!
//! | command | responses |
//! |---|---|
//! | `count 9` | the numbers below 9 |
//! | `bytes 9` | items of 9 bytes, without end |
//! | `toil 9` | the numbers below 9, each after some milliseconds of work without an await |
//! | `full 9` | the numbers below 9, then the error `FULL` |
//! | `panic 9` | the numbers below 9, then a panic |
//! | `trap 9` | the numbers below 9 in one turn with a trap |
//! | `exit 9` | the numbers below 9, then the guest exits with status 9 |
//! | `open 9` | headers, then nothing |
//! | `hang 9` | nothing |
//! | `sleep 9` | the first item after 9 ms, the second after 9 ms more |
//!
//! `Upload` counts its requests. `stop` among the requests ends the upload; `full`, `panic` and
//! `hang` have the effect above. `Chat` returns each request.

use std::future::pending;
use std::time::Duration;

use golden::streams::streams::{Feed, FeedErr, FeedServer, Item, Receipt};
use parigot_guest::{Closed, Context, Failure, Requests, Responses, info};

#[derive(Default)]
struct Feeding;

/// Logs the drop of a handler.
struct Dropped(Context);

impl Drop for Dropped {
    fn drop(&mut self) {
        info!(self.0, "handler dropped");
    }
}

fn item(text: impl Into<String>) -> Item {
    Item { text: text.into() }
}

impl Feed for Feeding {
    async fn last(&self, _: &Context, request: Item) -> Result<Item, Failure<FeedErr>> {
        Ok(request)
    }

    async fn watch(
        &self,
        cx: &Context,
        request: Item,
        responses: &mut Responses<Item>,
    ) -> Result<(), Failure<FeedErr>> {
        let (command, argument) = request.text.split_once(' ').unwrap_or((&request.text, "0"));
        let argument: usize = argument.parse().expect("the argument is a number");
        match command {
            "count" => {}
            "bytes" => loop {
                responses.send(item("x".repeat(argument))).await?;
            },
            "open" => {
                responses.open();
                hang(cx).await;
            }
            "hang" => hang(cx).await,
            "sleep" => {
                let pause = Duration::from_millis(argument as u64);
                cx.sleep(pause).await;
                responses.send(item("first")).await?;
                cx.sleep(pause).await;
                responses.send(item("second")).await?;
                return Ok(());
            }
            _ => {}
        }
        send_numbers(argument, command == "toil", responses).await?;
        match command {
            "full" => Err(FeedErr::Full.into()),
            "panic" => panic!("told to panic"),
            #[cfg(target_arch = "wasm32")]
            "trap" => core::arch::wasm32::unreachable(),
            "exit" => match cx.exit(argument as u8).await {},
            _ => Ok(()),
        }
    }

    async fn upload(
        &self,
        cx: &Context,
        requests: &mut Requests<Item>,
    ) -> Result<Receipt, Failure<FeedErr>> {
        let mut items = 0;
        while let Some(Item { text }) = requests.next().await.inspect_err(|error| {
            info!(cx, "upload: {}", error.code());
        })? {
            items += 1;
            match &*text {
                "stop" => break,
                "full" => return Err(FeedErr::Full.into()),
                "panic" => panic!("told to panic"),
                "hang" => hang(cx).await,
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

async fn send_numbers(
    count: usize,
    toils: bool,
    responses: &mut Responses<Item>,
) -> Result<(), Closed> {
    for number in 0..count {
        if toils {
            toil();
        }
        responses.send(item(number.to_string())).await?;
    }
    Ok(())
}

/// Holds the thread for some milliseconds.
fn toil() {
    for number in 0..20_000_000_u32 {
        std::hint::black_box(number);
    }
}

async fn hang(cx: &Context) {
    let _dropped = Dropped(cx.background());
    info!(cx, "hanging");
    pending::<()>().await;
}

parigot_guest::service!(Feeding, exports(FeedServer));
