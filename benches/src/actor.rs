//! The reference: an actor of tokio, which gets encoded requests over `mpsc` and answers over `oneshot`.

use prost::Message;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::cpu::Moment;
use crate::{Case, Measured};

/// The message of the guests' calls.
#[derive(Clone, PartialEq, Message)]
struct Payload {
    #[prost(bytes = "vec", tag = "1")]
    data: Vec<u8>,
}

type Call = (Vec<u8>, oneshot::Sender<Vec<u8>>);

/// One round of the case, on the runtime that `#[tokio::main]` makes: like our host it has a worker for each core.
pub(crate) fn round(case: Case) -> Measured {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("tokio runs here");
    let measured = async move {
        let (calls, actor) = mpsc::channel(1_024);
        tokio::spawn(serve(actor));
        run(&calls, Case { calls: case.calls.min(2_000), ..case }).await;
        let begin = Moment::now();
        run(&calls, case).await;
        Moment::now().per_call_since(begin, case.calls)
    };
    // All of it in tasks: what `block_on` itself polls is not where the workers are.
    runtime.block_on(async { tokio::spawn(measured).await.expect("it does not panic") })
}

async fn serve(mut calls: mpsc::Receiver<Call>) {
    while let Some((request, answer)) = calls.recv().await {
        let payload = Payload::decode(request.as_slice()).expect("callers encode what it decodes");
        answer.send(payload.encode_to_vec()).expect("callers wait");
    }
}

async fn run(calls: &mpsc::Sender<Call>, case: Case) {
    if case.in_flight == 1 {
        return call_repeatedly(calls.clone(), case.calls, case.size).await;
    }
    let mut tasks = JoinSet::new();
    for _ in 0..case.in_flight {
        tasks.spawn(call_repeatedly(calls.clone(), case.calls / case.in_flight, case.size));
    }
    tasks.join_all().await;
}

async fn call_repeatedly(calls: mpsc::Sender<Call>, count: usize, size: usize) {
    for _ in 0..count {
        let request = Payload { data: vec![7; size] }.encode_to_vec();
        let (answer, answered) = oneshot::channel();
        calls.send((request, answer)).await.expect("the actor runs");
        let response = answered.await.expect("the actor answers");
        let response = Payload::decode(response.as_slice()).expect("the actor encodes what this decodes");
        assert_eq!(response.data.len(), size);
    }
}
