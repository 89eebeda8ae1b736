//! Calls to a provider without a host and without guests, for tests of providers.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use parigot_abi::{FrameBuilder, Header, Kind};
use parigot_guest::prost::Message;
use parigot_guest::testing::CallReply;
use parigot_guest::{CallError, Method};
use parking_lot::{Condvar, Mutex};

use super::Serve;
use super::answer::Answer;
use super::call::{Answers, Call};
use super::queue::{CallQueue, Calls};
use crate::clock::{Clock, SystemClock};

/// Caller of a provider in a test. Several threads may call at the same time. Dropping the caller
/// ends the calls, and waits for the provider.
pub struct ProviderCaller {
    queue: Arc<CallQueue>,
    answers: Arc<Answers>,
    arrived: Arc<Arrived>,
    last_number: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

/// Answers that have arrived, by the numbers of their calls.
#[derive(Default)]
struct Arrived {
    answers: Mutex<HashMap<u64, Answer>>,
    changed: Condvar,
}

impl ProviderCaller {
    /// Serves the calls of a provider on a new thread.
    ///
    /// # Panics
    ///
    /// If the system starts no thread.
    pub fn start(serve: Serve) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let queue = CallQueue::new("test", &clock);
        queue.join();
        let arrived = Arc::new(Arrived::default());
        let to = Arc::clone(&arrived);
        let answers = Answers::new(move || {
            // With the lock, so that no thread misses the signal before its wait.
            let _answers = to.answers.lock();
            to.changed.notify_all();
        });
        let answers = Arc::new(answers);
        let calls = Calls::new(Arc::clone(&queue));
        ProviderCaller {
            queue,
            answers,
            arrived,
            last_number: AtomicU64::new(0),
            thread: Some(std::thread::spawn(move || serve(calls))),
        }
    }

    /// Calls a method and waits for the answer.
    ///
    /// # Errors
    ///
    /// As a guest receives them.
    pub fn call<M: Method>(&self, request: M::Request) -> Result<M::Response, CallError<M::Error>> {
        let reply = self.reply(M::INDEX, request.encode_to_vec());
        reply.outcome::<M>().expect("the call must have ended")
    }

    /// Calls the method at this index of its service with an encoded request.
    #[doc(hidden)]
    pub fn reply(&self, method: u32, payload: Vec<u8>) -> CallReply {
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        let call = Call {
            method,
            payload,
            guest: "test".into(),
            deadline_ns: u64::MAX,
            number: Some(number),
            answers: Arc::clone(&self.answers),
        };
        let answer = match self.queue.push(call) {
            Ok(_) => self.wait(number),
            Err(refused) => refused,
        };
        let mut frame = Vec::new();
        let header = Header {
            flags: answer.flags,
            status: answer.status,
            ..Header::new(Kind::Reply)
        };
        let builder = FrameBuilder::new(&mut frame, header);
        let builder = builder
            .detail_bytes(&answer.detail)
            .payload(&answer.payload);
        builder.finish().expect("an answer must be short");
        CallReply {
            frame,
            ..CallReply::default()
        }
    }

    /// Returns the number of calls that the provider has not taken.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    fn wait(&self, number: u64) -> Answer {
        let mut answers = self.arrived.answers.lock();
        loop {
            answers.extend(self.answers.take());
            if let Some(answer) = answers.remove(&number) {
                return answer;
            }
            self.arrived.changed.wait(&mut answers);
        }
    }
}

impl Drop for ProviderCaller {
    fn drop(&mut self) {
        self.queue.leave();
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended
                .expect("the thread is joined once")
                .expect("the provider must not panic");
        }
    }
}

impl fmt::Debug for ProviderCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderCaller").finish_non_exhaustive()
    }
}
