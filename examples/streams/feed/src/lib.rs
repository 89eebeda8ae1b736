//! The feed: a server stream.

use std::time::Duration;

use parigot_guest::{Context, Failure, Responses};
use stubs::feed::v1::{Feed, FeedErr, FeedServer, Headline, WatchRequest};

/// Time between two headlines.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Newsroom;

impl Feed for Newsroom {
    async fn watch(
        &self,
        cx: &Context,
        request: WatchRequest,
        responses: &mut Responses<Headline>,
    ) -> Result<(), Failure<FeedErr>> {
        if request.topic != "weather" {
            return Err(FeedErr::UnknownTopic.into());
        }
        // Without end: `send` fails once the caller has left, and a handler that sleeps is dropped.
        for number in 1.. {
            let text = format!("day {number}: sunny");
            responses.send(Headline { number, text }).await?;
            cx.sleep(PAUSE).await;
        }
        Ok(())
    }
}

parigot_guest::service!(Newsroom, exports(FeedServer));

#[cfg(test)]
mod tests {
    use parigot_guest::CallError;
    use parigot_guest::testing::{GuestRun, PendingStream, TestCall, TestGuest};
    use stubs::feed::v1::feed;

    use super::*;

    fn watch(run: &mut GuestRun, topic: &str) -> PendingStream<feed::Watch> {
        let request = WatchRequest {
            topic: topic.into(),
        };
        run.open(TestCall::new(request))
    }

    #[test]
    fn headlines_come_one_after_the_other() {
        let mut run = TestGuest::new(GUEST).start();
        let headlines = watch(&mut run, "weather");
        for number in 1..=9 {
            let headline = run.next(&headlines).expect("the feed must not fail");
            assert_eq!(headline.map(|headline| headline.number), Some(number));
        }
    }

    #[test]
    fn an_unknown_topic_is_an_error() {
        let mut run = TestGuest::new(GUEST).start();
        let headlines = watch(&mut run, "sports");
        let error = run.next(&headlines).expect_err("there is no such topic");
        assert!(matches!(
            error,
            CallError::Service(FeedErr::UnknownTopic, _)
        ));
    }
}
