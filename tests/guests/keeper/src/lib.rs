//! A program that keeps its state in a key-value store. The Go version logs the same lines.
//!
//! | argument | effect |
//! |---|---|
//! | `set:K:V` | writes an entry, and logs its revision |
//! | `add:K:V` | writes an entry if the key has none |
//! | `replace:K:V:R` | writes an entry if the present one has the revision R |
//! | `get:K` | logs the value |
//! | `delete:K` | deletes an entry |
//! | `batch:K:R` | writes K/a and K/b, and requires the revision R of K |
//! | `scan:P` | logs the keys that begin with P, in pages of two |
//! | `watch` | asks for changes |
//! | `count` | adds one to a message under `count` |
//! | `fill:K` | writes values of 64 KiB under K/0, K/1 and so on until one fails |
//! | `load` | logs the number under each of eight keys, and then increases all for ever |

use parigot_guest::futures_lite::future::or;
use parigot_guest::kv::v1::WatchRequest;
use parigot_guest::kv::{Kv, KvClient, KvErr};
use parigot_guest::prost_types::Timestamp;
use parigot_guest::{CallError, Context, Error, Exit, info};

#[parigot_guest::program(requires(KvClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let kv = Kv::locate(&cx)?;
    for argument in cx.args() {
        let parts: Vec<&str> = argument.split(':').collect();
        let end = match run(&cx, &kv, &parts).await {
            Ok(end) => end,
            Err(CallError::Service(error, extras)) => {
                let conflicts: Vec<parigot_guest::kv::v1::Conflict> = extras.details();
                let present = conflicts.iter().map(|conflict| conflict.revision);
                format!("{} {:?}", error.as_str_name(), present.collect::<Vec<_>>())
            }
            Err(error) => error.to_string(),
        };
        info!(cx, "{argument}: {end}");
    }
    Ok(Exit::SUCCESS)
}

async fn run(cx: &Context, kv: &Kv, parts: &[&str]) -> Result<String, CallError<KvErr>> {
    Ok(match *parts {
        ["set", key, value] => format!("revision {}", kv.set(key, value).await?.revision),
        ["add", key, value] => {
            let set = kv.set(key, value).if_absent().await?;
            format!("revision {}", set.revision)
        }
        ["replace", key, value, revision] => {
            let set = kv.set(key, value).if_revision(number(revision)).await?;
            format!("revision {}", set.revision)
        }
        ["get", key] => match kv.get(key).await?.entry {
            Some(entry) => String::from_utf8_lossy(&entry.value).into_owned(),
            None => "absent".to_owned(),
        },
        ["delete", key] => format!("existed {}", kv.delete(key).await?.existed),
        ["batch", key, revision] => {
            let batch = kv.batch().check(key, number(revision));
            let batch = batch
                .set(format!("{key}/a"), "a")
                .set(format!("{key}/b"), "b");
            format!("revisions {:?}", batch.await?.revisions)
        }
        ["scan", prefix] => {
            let mut keys = Vec::new();
            let mut scan = kv.scan(prefix).keys_only().page_entries(2);
            while let Some(entry) = scan.next().await? {
                keys.push(entry.key);
            }
            keys.join(" ")
        }
        ["watch"] => {
            let client = KvClient::locate(cx).expect("the program requires the store");
            let mut changes = client.watch(WatchRequest::default());
            changes.next().await?;
            "watched".to_owned()
        }
        ["count"] => {
            let counts = kv.typed::<Timestamp>();
            let counted = counts.update("count", |count| count.seconds += 1).await;
            counted
                .expect("no other program counts")
                .seconds
                .to_string()
        }
        ["fill", key] => {
            let value = vec![7; 64 << 10];
            let mut at = 0;
            loop {
                kv.set(format!("{key}/{at}"), &*value).await?;
                at += 1;
            }
        }
        ["load"] => {
            let two = |low| or(load(cx, kv, low), load(cx, kv, low + 1));
            or(or(two(0), two(2)), or(two(4), two(6))).await?
        }
        _ => panic!("unknown argument {parts:?}"),
    })
}

fn number(text: &str) -> u64 {
    text.parse().expect("the argument has a number")
}

/// Increases the number under a key for ever, and logs each number that the store has acknowledged.
async fn load(cx: &Context, kv: &Kv, worker: u32) -> Result<String, CallError<KvErr>> {
    let key = format!("load/{worker}");
    let found = kv.get(&*key).await?.entry;
    let text = found.map_or("0".to_owned(), |entry| {
        String::from_utf8_lossy(&entry.value).into_owned()
    });
    info!(cx, "found {worker} {text}");
    let mut last = number(&text);
    loop {
        last += 1;
        kv.set(&*key, last.to_string()).await?;
        info!(cx, "acked {worker} {last}");
    }
}
