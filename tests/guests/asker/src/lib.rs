//! A program that asks the questions in its arguments, `CLIENT/WORD` or `CLIENT/WORD@MS` with a
//! deadline in milliseconds, and logs how each call ends. The Go version logs the same lines.
//!
//! | client | call |
//! |---|---|
//! | `a`, `b` | one call of Answers, bound to that name |
//! | `dynamic` | the same as `a`, without generated code |
//! | `desk` | one call of Desk |
//! | `retry` | at most three calls of Ask |
//! | `again` | at most three calls of AskAgain, which is idempotent |
//! | `within` | calls of Ask for at most 150 ms |
//! | `until` | calls of Ask, until one is answered |
//!
//! The word `huge` stands for one that is too large. Calls with a word that begins with `metadata`
//! have metadata.

use std::cell::Cell;
use std::time::Duration;

use golden::answers::answers::v1::{Answer, AnswersClient, DeskClient, Question};
use parigot_guest::prost::Message;
use parigot_guest::prost_types::{self, Timestamp};
use parigot_guest::{
    CallError, Client, Context, DynamicClient, Entries, Error, Exit, Fate, Metadata, RetryPolicy,
    ServiceError, retry,
};

#[parigot_guest::program(requires(AnswersClient as "a", AnswersClient as "b", DeskClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    for argument in cx.args() {
        let (client, word) = argument
            .split_once('/')
            .expect("a client precedes the word");
        let (word, deadline) = match word.split_once('@') {
            None => (word, None),
            Some((word, ms)) => {
                let ms = ms.parse().expect("a deadline is a number of milliseconds");
                (word, Some(Duration::from_millis(ms)))
            }
        };
        let end = ask(&cx, client, word, deadline).await?;
        parigot_guest::info!(cx, "{argument}: {end}");
    }
    Ok(Exit::SUCCESS)
}

async fn ask(
    cx: &Context,
    client: &str,
    word: &str,
    deadline: Option<Duration>,
) -> Result<String, Error> {
    Ok(match client {
        "desk" => {
            let desk = prepared(DeskClient::locate(cx)?, word, deadline);
            describe(desk.pass(question(word)).with_metadata().await)
        }
        "dynamic" => {
            let request = question(word).encode_to_vec();
            let client = DynamicClient::locate_named(cx, "answers.v1.Answers", "a")?
                .with_metadata("colour", "green")
                .with_metadata_bin("token-bin", &[0xee]);
            let ended = client.call("Ask", &request).with_metadata().await;
            describe(ended.map(|(response, metadata)| {
                let answer = Answer::decode(&*response).expect("the callee must send an Answer");
                (answer, metadata)
            }))
        }
        "a" | "b" => {
            let answers = AnswersClient::locate_named(cx, client)?;
            let answers = prepared(answers, word, deadline);
            describe(answers.ask(question(word)).with_metadata().await)
        }
        _ => {
            let answers = AnswersClient::locate_named(cx, "a")?;
            repeat(&prepared(answers, word, deadline), client, word).await
        }
    })
}

fn question(word: &str) -> Question {
    let word = match word {
        "huge" => "x".repeat(17 << 20),
        _ => word.to_owned(),
    };
    Question { word }
}

/// Returns a client with the deadline, and with metadata if the word requires it.
fn prepared<C: Client>(client: C, word: &str, deadline: Option<Duration>) -> C {
    let client = deadline.map_or_else(
        || client.with_deadline(Duration::from_secs(60)),
        |deadline| client.with_deadline(deadline),
    );
    if !word.starts_with("metadata") {
        return client;
    }
    client
        .with_metadata("colour", "red")
        .with_metadata("Parigot-User", "root")
        .with_metadata("colour", "blue")
        .with_metadata_bin("token-bin", &[0, 0xff, 0x10])
        .with_metadata_bin("token-bin", &[0xab])
        .with_metadata_bin("token", &[1])
}

async fn repeat(answers: &AnswersClient, client: &str, word: &str) -> String {
    let ms = Duration::from_millis;
    let policy = match client {
        "within" => RetryPolicy {
            attempts: 1_000,
            time: ms(150),
            backoff: ms(10),
            backoff_max: ms(20),
        },
        "until" => RetryPolicy {
            attempts: 1_000,
            time: ms(20_000),
            backoff: ms(5),
            backoff_max: ms(50),
        },
        _ => RetryPolicy {
            attempts: 3,
            backoff: ms(1),
            ..RetryPolicy::default()
        },
    };
    let attempts = Cell::new(0);
    let count = || attempts.set(attempts.get() + 1);
    let ended = if client == "again" {
        retry(policy, || {
            count();
            answers.ask_again(question(word))
        })
        .await
    } else {
        retry(policy, || {
            count();
            answers.ask(question(word))
        })
        .await
    };
    let end = describe(ended.map(|answer| (answer, Metadata::default())));
    match (client, attempts.get()) {
        ("until", _) => end,
        ("within", 3..) => format!("{end}; several attempts"),
        (_, attempts) => format!("{end}; attempts {attempts}"),
    }
}

/// Returns the end of a call in one line. Only the texts of handlers are the same wherever the
/// callee runs, so that the cause stands for the text of a failed call.
fn describe<E: ServiceError>(ended: Result<(Answer, Metadata), CallError<E>>) -> String {
    let error = match ended {
        Ok((answer, metadata)) => return format!("{:?}{}", answer.text, describe_all(&metadata)),
        Err(error) => error,
    };
    let name = match &error {
        CallError::Service(own, _) => own.to_string(),
        CallError::Unrecognized(number, _) => number.to_string(),
        CallError::Status(_) => "status".to_owned(),
    };
    let mut text = format!("{name}, {}, {}", error.code(), error.fate());
    match error.status().filter(|_| error.fate() != Fate::Answered) {
        Some(status) => text += &format!(", {}", status.cause()),
        None => text += &describe_message(error.message()),
    }
    let pauses = error.details::<prost_types::Duration>();
    match pauses.len() {
        0..10 => pauses
            .iter()
            .for_each(|pause| text += &format!(", pause {}", pause.seconds)),
        many => text += &format!(", {many} pauses"),
    }
    for time in error.details::<Timestamp>() {
        text += &format!(", time {}", time.seconds);
    }
    text + &describe_all(error.metadata())
}

/// Returns a message without the ids of a nested call, or its length.
fn describe_message(message: &str) -> String {
    match message.split(" (").next() {
        None | Some("") => String::new(),
        Some(short) if short.len() < 100 => format!(", {short:?}"),
        Some(long) => format!(", text of {} bytes", long.len()),
    }
}

fn describe_all(metadata: &Metadata) -> String {
    let headers = describe_entries("headers", metadata.headers());
    headers + &describe_entries("trailers", metadata.trailers())
}

fn describe_entries(name: &str, entries: Entries<'_>) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let hex =
        |bytes: Vec<u8>| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let entry = |(key, value): (&str, &str)| {
        if key.ends_with("-bin") {
            let values: Vec<_> = entries.get_all_bin(key).flatten().map(hex).collect();
            format!(" {key}={}", values.join(","))
        } else {
            format!(" {key}={value}")
        }
    };
    let mut words: Vec<_> = entries.iter().map(entry).collect();
    words.dedup();
    format!("; {name}:{}", words.concat())
}
