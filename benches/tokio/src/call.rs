//! The message, and the calls of a round.

use std::future::Future;

use bench_meter::{Case, Latencies, Measured, Moment};
use tokio::task::JoinSet;

/// The message of the guests' calls.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Payload {
    /// Arbitrary bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
}

/// A client of a contender's service.
pub(crate) trait Caller: Clone + Send + Sync + 'static {
    /// Makes a call and returns the answer.
    fn call(&mut self, request: Payload) -> impl Future<Output = Payload> + Send;
}

/// Makes the calls of a case after a warm-up. Everything runs in tasks, because the workers do not
/// run the future that `block_on` polls.
pub(crate) async fn measure(caller: impl Caller, case: Case) -> Measured {
    let measured = async move {
        run(
            &caller,
            Case {
                calls: case.warm_up(),
                timed: false,
                ..case
            },
        )
        .await;
        let begin = Moment::now();
        let latencies = run(&caller, case).await;
        latencies.complete(Moment::now().per_call_since(begin, case.calls))
    };
    tokio::spawn(measured)
        .await
        .expect("the calls must not panic")
}

/// Divides the calls over `in_flight` tasks, each of which makes one call after the other.
async fn run(caller: &impl Caller, case: Case) -> Latencies {
    if case.in_flight == 1 {
        return call_repeatedly(caller.clone(), case).await;
    }
    let mut tasks = JoinSet::new();
    for _ in 0..case.in_flight {
        tasks.spawn(call_repeatedly(
            caller.clone(),
            Case {
                calls: case.calls / case.in_flight,
                ..case
            },
        ));
    }
    let mut all = Latencies::new(case.timed, case.calls);
    tasks
        .join_all()
        .await
        .into_iter()
        .for_each(|latencies| all.append(latencies));
    all
}

async fn call_repeatedly(mut caller: impl Caller, case: Case) -> Latencies {
    let mut latencies = Latencies::new(case.timed, case.calls);
    for _ in 0..case.calls {
        let begin = latencies.begin();
        let response = caller
            .call(Payload {
                data: vec![7; case.size],
            })
            .await;
        assert_eq!(response.data.len(), case.size);
        latencies.end(begin);
    }
    latencies
}
