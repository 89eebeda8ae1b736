//! One round of one contender that runs on tokio: `bench-tokio CONTENDER CALLS SIZE IN_FLIGHT timed|untimed`.
//!
//! Each has a service that answers with the payload it gets. All have the message and the codec (prost) that the guests have, and the
//! runtime with a worker for each core that the process may use, as our host has.

mod actor;
mod tonic;

use std::future::Future;

use bench_meter::{Case, Latencies, Measured, Moment};
use tokio::task::JoinSet;

/// The message of the guests' calls.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Payload {
    /// Anything.
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
}

/// Someone who can call the service of a contender.
trait Caller: Clone + Send + Sync + 'static {
    /// Makes a call and returns the answer.
    fn call(&mut self, request: Payload) -> impl Future<Output = Payload> + Send;
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let measured = match args
        .split_first()
        .and_then(|(name, case)| Some((name.as_str(), Case::from_args(case)?)))
    {
        Some(("actor", case)) => actor::round(case),
        Some(("tonic-memory", case)) => tonic::in_memory(case),
        Some(("tonic-unix", case)) => tonic::over_unix_socket(case),
        _ => panic!("expected actor, tonic-memory or tonic-unix, and a case, found {args:?}"),
    };
    println!("{measured}");
}

/// Makes the calls of a case after a warm-up. All of it in tasks: what `block_on` itself polls is not where the workers are.
async fn measure(caller: impl Caller, case: Case) -> Measured {
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
    tokio::spawn(measured).await.expect("it does not panic")
}

/// Each of `in_flight` tasks makes its share of the calls, one after the other.
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
