//! Serves answers.v1.Desk: it asks the Answers that are bound to `shelf`, and fails with the error
//! of that call. Three words have another meaning:
//!
//! | word | end |
//! |---|---|
//! | `away` | an error of its own |
//! | `annotated` | the error of the question `error-details`, with another message and detail |
//! | `retry` | the number of attempts of a call that is always refused |

use std::cell::Cell;
use std::time::Duration;

use golden::answers::answers::v1::{Answer, AnswersClient, Desk, DeskErr, DeskServer, Question};
use parigot_guest::{
    Client, Context, Failure, NotReady, Ready, RetryPolicy, Status, prost_types, retry,
};

struct Clerk {
    answers: AnswersClient,
}

impl Ready for Clerk {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        Ok(Clerk {
            answers: AnswersClient::locate_named(cx, "shelf")?,
        })
    }
}

impl Desk for Clerk {
    async fn pass(&self, _: &Context, question: Question) -> Result<Answer, Failure<DeskErr>> {
        match &*question.word {
            "away" => Err(DeskErr::Away.with_message("at lunch")),
            "annotated" => {
                let word = "error-details".into();
                let nested = self.answers.ask(Question { word }).await;
                Ok(nested.map_err(|error| {
                    let pause = prost_types::Duration {
                        seconds: 9,
                        nanos: 0,
                    };
                    Failure::<DeskErr>::from(Status::from(error))
                        .with_message("asked in vain")
                        .with_detail(&pause)
                })?)
            }
            "retry" => Ok(self.retry().await),
            _ => Ok(self.answers.ask(question).await?),
        }
    }
}

impl Clerk {
    /// Repeats a call that is refused each time. The first pause takes at least five seconds, so
    /// that the deadline of the inbound call ends the attempts.
    async fn retry(&self) -> Answer {
        let policy = RetryPolicy {
            attempts: 1_000,
            time: Duration::from_secs(60),
            backoff: Duration::from_secs(10),
            backoff_max: Duration::from_secs(10),
        };
        let answers = self.answers.with_deadline(Duration::ZERO);
        let attempts = Cell::new(0);
        let call = || {
            attempts.set(attempts.get() + 1);
            answers.ask(Question::default())
        };
        let refused = retry(policy, call)
            .await
            .is_err_and(|error| error.is_refused());
        Answer {
            text: format!("refused {refused}, attempts {}", attempts.get()),
        }
    }
}

parigot_guest::service!(Clerk, exports(DeskServer), requires(AnswersClient as "shelf"));
