//! An actor: a task that receives encoded requests over `mpsc` and answers over `oneshot`.

use bench_meter::{Case, Measured};
use prost::Message;
use tokio::sync::{mpsc, oneshot};

use crate::call::{Caller, Payload, measure};

type Call = (Vec<u8>, oneshot::Sender<Vec<u8>>);

/// Runs one round of the case. The runtime has neither sockets nor timers, which is to the actor's
/// advantage.
pub(crate) fn round(case: Case) -> Measured {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .build()
        .expect("the runtime must start");
    runtime.block_on(async {
        let (calls, actor) = mpsc::channel(1_024);
        tokio::spawn(serve(actor));
        measure(calls, case).await
    })
}

async fn serve(mut calls: mpsc::Receiver<Call>) {
    while let Some((request, answer)) = calls.recv().await {
        let payload = Payload::decode(request.as_slice()).expect(
            "callers must send valid \
                                                                  requests",
        );
        answer
            .send(payload.encode_to_vec())
            .expect("the caller waits for the answer");
    }
}

impl Caller for mpsc::Sender<Call> {
    async fn call(&mut self, request: Payload) -> Payload {
        let (answer, answered) = oneshot::channel();
        self.send((request.encode_to_vec(), answer))
            .await
            .expect("the actor must run");
        let response = answered.await.expect("the actor must answer");
        Payload::decode(response.as_slice()).expect("the actor must send valid answers")
    }
}
