//! A program that makes the calls that its arguments describe, and logs how each ends.
//!
//! An argument is a call. Calls joined by `+` are all made before the first is awaited. A call is a
//! word, for a method or a deed, and may have parts around it, in this order:
//!
//! | part | meaning |
//! |---|---|
//! | `150ms:` | make the call 150 ms later |
//! | `~` | do the deed in the method with limits of its own |
//! | `echo`, `panic` | the word |
//! | `:16` | a number for the deed, or of bytes |
//! | `@50` | a deadline of 50 ms |
//! | `!` | drop the call at once |
//! | `!20` | drop the call after 20 ms |
//! | `#key=value` | metadata |
//! | `?` | log a failure in full, with its fate |
//!
//! Other arguments: `again` repeats `echo:1` until a call is answered, and `refused` repeats
//! `echo:1@500` until a call is refused. `answered:9` makes 9 calls `echo:1`, and panics if one is
//! not answered. `pause:20` logs a line and makes no call for 20 ms.

use std::pin::Pin;
use std::time::Duration;

use golden::echo::echo::v1::deed::Kind;
use golden::echo::echo::v1::{Deed, EchoClient, EchoErr, Payload};
use parigot_guest::futures_lite::future::or;
use parigot_guest::{CallError, Client, Code, Context, Error, Exit, Fate, Status};

#[parigot_guest::program(requires(EchoClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let echo = EchoClient::locate(&cx)?;
    for argument in cx.args() {
        if argument == "again" {
            while make(&echo, "echo:1")
                .expect("the word does not end with `!`")
                .await
                .is_err()
            {}
            parigot_guest::info!(cx, "again: 1 bytes");
            continue;
        }
        if argument == "refused" {
            let refusal = loop {
                let outcome = make(&echo, "echo:1@500")
                    .expect("the word does not end with `!`")
                    .await;
                if outcome
                    .as_ref()
                    .is_err_and(|failure| failure.fate() == Fate::Refused)
                {
                    break outcome;
                }
            };
            parigot_guest::info!(cx, "refused: {}", describe(refusal));
            continue;
        }
        if let Some(calls) = argument.strip_prefix("answered:") {
            let calls = calls.parse().expect("the word has a number of calls");
            make_answered(&echo, calls).await;
            parigot_guest::info!(cx, "{argument}");
            continue;
        }
        if let Some(ms) = argument.strip_prefix("pause:") {
            parigot_guest::info!(cx, "pausing");
            cx.sleep(Duration::from_millis(
                ms.parse().expect("the word has a number of milliseconds"),
            ))
            .await;
            continue;
        }
        let calls: Vec<_> = argument
            .split('+')
            .map(|word| (word, begin(&cx, &echo, word)))
            .collect();
        for (word, call) in calls {
            let Some(call) = call else { continue };
            let outcome = call.await;
            let end = match &outcome {
                Err(failure) if word.ends_with('?') => format!("{}: {failure}", failure.fate()),
                _ => describe(outcome),
            };
            parigot_guest::info!(cx, "{word}: {end}");
        }
    }
    Ok(Exit::SUCCESS)
}

type Outcome = Result<Payload, CallError<EchoErr>>;
type Pending = Pin<Box<dyn Future<Output = Outcome>>>;

/// Makes calls one after the other, and panics if one is not answered.
async fn make_answered(echo: &EchoClient, calls: usize) {
    for _ in 0..calls {
        let call = make(echo, "echo:1").expect("the word does not end with `!`");
        call.await.expect("each call must be answered");
    }
}

/// Makes a call, now or later. Returns `None` if the call was dropped.
fn begin(cx: &Context, echo: &EchoClient, word: &str) -> Option<Pending> {
    let (word, metadata) = word.split_once('#').unwrap_or((word, ""));
    let pairs = metadata.split('#').filter_map(|pair| pair.split_once('='));
    let echo = &pairs.fold(echo.clone(), |echo, (key, value)| {
        echo.with_metadata(key, value)
    });
    if let Some((word, after_ms)) = word
        .split_once('!')
        .filter(|(_, after_ms)| !after_ms.is_empty())
    {
        let call = make(echo, word)?;
        let after_ms = after_ms
            .parse()
            .expect("a number of milliseconds follows `!`");
        let pause = cx.sleep(Duration::from_millis(after_ms));
        return Some(Box::pin(or(call, async {
            pause.await;
            Err(CallError::Status(Status::new(Code::Cancelled, "dropped")))
        })));
    }
    let Some((pause_ms, word)) = word.split_once("ms:") else {
        return make(echo, word);
    };
    let pause = cx.sleep(Duration::from_millis(
        pause_ms
            .parse()
            .expect("a pause is a number of milliseconds"),
    ));
    let echo = echo.clone();
    let word = word.to_owned();
    Some(Box::pin(async move {
        pause.await;
        make(&echo, &word)
            .expect("the word does not end with `!`")
            .await
    }))
}

/// Makes a call. Returns `None` if the call was dropped.
fn make(echo: &EchoClient, word: &str) -> Option<Pending> {
    let word = word.trim_end_matches('?');
    let (word, dropped) = word
        .strip_suffix('!')
        .map_or((word, false), |word| (word, true));
    let (word, echo) = match word.split_once('@') {
        Some((word, deadline_ms)) => {
            let deadline_ms = deadline_ms
                .parse()
                .expect("a deadline is a number of milliseconds");
            (word, echo.with_deadline(Duration::from_millis(deadline_ms)))
        }
        None => (word, echo.clone()),
    };
    let (word, number) = word.split_once(':').unwrap_or((word, "0"));
    let number: u32 = number.parse().expect("a number follows the colon");
    let (word, persists) = word
        .strip_prefix('~')
        .map_or((word, false), |word| (word, true));
    let misbehave = |kind: Kind| -> Pending {
        let deed = Deed {
            kind: kind.into(),
            number,
        };
        if persists {
            Box::pin(echo.persist(deed))
        } else {
            Box::pin(echo.misbehave(deed))
        }
    };
    let call = match word {
        "echo" => Box::pin(echo.echo(Payload {
            data: vec![7; number as usize],
        })),
        "panic" => misbehave(Kind::Panic),
        "trap" => misbehave(Kind::Trap),
        "leave" => misbehave(Kind::Leave),
        "refuse" => misbehave(Kind::Refuse),
        "hang" => misbehave(Kind::Hang),
        "sleep" => misbehave(Kind::Sleep),
        "swell" => misbehave(Kind::Swell),
        "spin" => misbehave(Kind::Spin),
        "toil" => misbehave(Kind::Toil),
        _ => panic!("unknown word {word}"),
    };
    (!dropped).then_some(call)
}

fn describe(outcome: Outcome) -> String {
    match outcome {
        Ok(payload) => format!("{} bytes", payload.data.len()),
        Err(CallError::Status(status)) => format!(
            "{}, {}: {}",
            status.code(),
            status.cause(),
            status.message()
        ),
        Err(error) => error.to_string(),
    }
}
