//! Calls whose future is dropped.

use parigot_guest::futures_lite::future::{or, poll_once};
use parigot_guest::{Context, Error, Exit, info};

use crate::greeting::*;
use crate::harness::{Guest, launched};

#[test]
fn dropping_an_unanswered_call_cancels_it() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let greeting = GreetingClient::locate(&cx)?;
        let unpolled = greeting.fetch_greeting(FetchGreetingRequest { tongue: 1 });
        let mut polled = greeting.fetch_greeting(FetchGreetingRequest { tongue: 2 });
        let replied = greeting.fetch_greeting(FetchGreetingRequest { tongue: 3 });
        poll_once(&mut polled).await;
        drop(unpolled);
        drop(polled);
        cx.yield_now().await;
        greeting
            .fetch_greeting(FetchGreetingRequest { tongue: 4 })
            .await?;
        drop(replied);
        info!(cx, "dropped");
        Ok(Exit::SUCCESS)
    }
    let (mut guest, _) = Guest::started(main);
    assert_eq!(
        guest.turn([launched(&[70])]),
        [
            "reply 0: OK",
            "call a: 70.0 tongue 1",
            "call b: 70.0 tongue 2",
            "call c: 70.0 tongue 3",
            "cancel a",
            "cancel b",
            "call d: 70.0 tongue 4",
        ]
    );
    assert_eq!(
        guest.turn([guest.reply('c', "c"), guest.reply('d', "d")]),
        ["Info: dropped", "exit 0"]
    );
}

#[test]
fn the_loser_of_a_race_is_cancelled() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let greeting = GreetingClient::locate(&cx)?;
        let one = greeting.fetch_greeting(FetchGreetingRequest { tongue: 1 });
        let two = greeting.fetch_greeting(FetchGreetingRequest { tongue: 2 });
        info!(cx, "{}", or(one, two).await?.greeting);
        Ok(Exit::SUCCESS)
    }
    let (mut guest, _) = Guest::started(main);
    guest.turn([launched(&[70])]);
    assert_eq!(
        guest.turn([guest.reply('b', "two")]),
        ["cancel a", "Info: two", "exit 0"]
    );
}
