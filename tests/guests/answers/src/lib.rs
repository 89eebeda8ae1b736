//! Serves answers.v1.Answers. The word of a question says how its call ends:
//!
//! | word | end |
//! |---|---|
//! | `name` | the first argument of the guest |
//! | `count:WORD` | the number of calls that have asked `WORD` |
//! | `metadata` | the metadata of the request, with headers and trailers |
//! | `metadata-error`, `metadata-status` | a failure with headers and trailers |
//! | `error`, `error-message`, `error-details` | an error of the enum |
//! | `status-details` | a status |
//! | `ordinary` | any other error |
//! | `zero`, `zero-details`, `zero-status` | an error that is none |
//! | `many-details`, `long-message` | an error that is too large |
//! | `hang…` | at first none; the second call is answered |
//! | `spin` | none: the guest exceeds its budget |
//! | `leave` | the guest exits |

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::pending;

use golden::answers::answers::v1::{Answer, Answers, AnswersErr, AnswersServer, Question};
use parigot_guest::prost_types::{Duration, Timestamp};
use parigot_guest::{Code, Context, Error, Failure, Status};

#[derive(Default)]
struct Shelf {
    /// Numbers of calls by word.
    counts: RefCell<BTreeMap<String, u32>>,
}

impl Answers for Shelf {
    async fn ask(&self, cx: &Context, question: Question) -> Result<Answer, Failure<AnswersErr>> {
        let word = &*question.word;
        let count = self.count(word);
        if let Some(word) = word.strip_prefix("count:") {
            let count = self.counts.borrow().get(word).copied().unwrap_or(0);
            return Ok(answer(count.to_string()));
        }
        if word.starts_with("metadata") {
            set_metadata(cx);
        }
        if word.starts_with("hang") {
            if count == 1 {
                pending::<()>().await;
            }
            return Ok(answer(format!("call {count}")));
        }
        match word {
            "name" => Ok(answer(cx.args().first().cloned().unwrap_or_default())),
            "metadata" => Ok(answer(metadata_of(cx))),
            "spin" => loop {
                std::hint::spin_loop();
            },
            "leave" => match cx.exit(7).await {},
            _ => Err(failure(word)),
        }
    }

    async fn ask_again(
        &self,
        cx: &Context,
        question: Question,
    ) -> Result<Answer, Failure<AnswersErr>> {
        self.ask(cx, question).await
    }
}

impl Shelf {
    /// Counts a call, and returns its number among the calls with the same word.
    fn count(&self, word: &str) -> u32 {
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(word.to_owned()).or_default();
        *count += 1;
        *count
    }
}

fn answer(text: String) -> Answer {
    Answer { text }
}

/// Sets headers and trailers, some of which only the host may set.
fn set_metadata(cx: &Context) {
    cx.set_header("served-by", "first");
    cx.set_header("served-by", "second");
    cx.set_header_bin("token-bin", &[0, 0xff, 0x10]);
    cx.set_header_bin("token-bin", &[0xab]);
    cx.set_header("parigot-user", "root");
    cx.set_trailer("cost", "7");
    cx.set_trailer("cost", "8");
    cx.set_trailer_bin("digest-bin", &[0xca, 0xfe]);
    cx.set_trailer_bin("digest", &[1]);
}

/// Returns the entries of the request; the values of a binary key together.
fn metadata_of(cx: &Context) -> String {
    let entries = cx.metadata_pairs().map(|(key, value)| {
        if key.ends_with("-bin") {
            let values = cx.metadata_all_bin(key).flatten();
            let values: Vec<_> = values.map(|bytes| hex(&bytes)).collect();
            format!("{key}={}", values.join(","))
        } else {
            format!("{key}={value}")
        }
    });
    let mut entries: Vec<_> = entries.collect();
    entries.dedup();
    entries.join(" ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failure(word: &str) -> Failure<AnswersErr> {
    match word {
        "error" | "metadata-error" => AnswersErr::Closed.into(),
        "error-message" => AnswersErr::Missing.with_message("no such shelf"),
        "error-details" => detailed(AnswersErr::Missing.with_message("no such shelf")),
        "metadata-status" => Status::new(Code::DataLoss, "burnt").into(),
        "status-details" => detailed(Status::new(Code::ResourceExhausted, "later").into()),
        "ordinary" => Error::new("the shelf is empty").into(),
        "zero" => AnswersErr::None.into(),
        "zero-details" => detailed(AnswersErr::None.with_message("never sent")),
        "zero-status" => detailed(Status::new(Code::Ok, "never sent").into()),
        "many-details" => (0..1_000).fold(
            AnswersErr::Closed.with_message("dropped"),
            |failure, seconds| failure.with_detail(&Duration { seconds, nanos: 0 }),
        ),
        // Characters of two bytes, so that the limit is in the middle of one.
        "long-message" => AnswersErr::Closed.with_message(format!("x{}", "ä".repeat(9_000))),
        _ => Status::new(Code::Unimplemented, format!("unknown word {word}")).into(),
    }
}

/// Adds details of two types.
fn detailed(failure: Failure<AnswersErr>) -> Failure<AnswersErr> {
    let pause = |seconds| Duration { seconds, nanos: 0 };
    let time = Timestamp {
        seconds: 5,
        nanos: 0,
    };
    failure
        .with_detail(&pause(4))
        .with_detail(&time)
        .with_detail(&pause(3))
}

parigot_guest::service!(Shelf, exports(AnswersServer));
