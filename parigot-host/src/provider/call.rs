//! Calls to a provider, as its thread receives them.

use std::fmt;
use std::sync::Arc;

use parigot_guest::prost::Message;
use parigot_guest::{Method, ServiceError};
use parking_lot::Mutex;

use super::answer::Answer;
use crate::error::Failure;

/// A call. A call that is dropped without an answer fails with `UNAVAILABLE` and the fate unknown.
pub struct Call {
    pub(super) method: u32,
    pub(super) payload: Vec<u8>,
    pub(super) guest: Arc<str>,
    pub(super) deadline_ns: u64,
    /// Number of the call at its proxy; `None` once the call is answered.
    pub(super) number: Option<u64>,
    pub(super) answers: Arc<Answers>,
}

impl Call {
    /// Returns the index of the method in its service: compare with
    /// [`Method::INDEX`](parigot_guest::Method::INDEX).
    pub fn method(&self) -> u32 {
        self.method
    }

    /// Returns the name of the calling guest in the deployment.
    pub fn guest(&self) -> &str {
        &self.guest
    }

    /// Decodes the request of method `M`.
    ///
    /// # Errors
    ///
    /// With the answer to a request that cannot be decoded.
    pub fn request<M: Method>(&self) -> Result<M::Request, Answer> {
        M::Request::decode(&*self.payload)
            .map_err(|error| Answer::from(&Failure::undecodable(&error)))
    }

    /// Answers the call. The answer is dropped if the caller has ended or cancelled the call.
    pub fn answer(mut self, answer: Answer) {
        self.send(answer);
    }

    /// Answers a call of method `M` with the result of `serve`.
    ///
    /// # Panics
    ///
    /// If the error's number is 0, which stands for success.
    pub fn serve<M: Method>(
        self,
        serve: impl FnOnce(M::Request) -> Result<M::Response, <M::Error as ServiceError>::Failure>,
    ) {
        let answer = match self.request::<M>() {
            Ok(request) => Answer::of::<M>(serve(request)),
            Err(undecodable) => undecodable,
        };
        self.answer(answer);
    }

    fn send(&mut self, answer: Answer) {
        if let Some(number) = self.number.take() {
            self.answers.push(number, answer);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.send(Answer::unknown("the provider did not answer the call"));
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("guest", &self.guest)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// Answers for one proxy.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `queued` | mutex | threads of the provider | proxy |
/// | `wake` | immutable | proxy | threads of the provider |
pub(super) struct Answers {
    queued: Mutex<Vec<(u64, Answer)>>,
    /// Wakes the proxy.
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Answers {
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Answers {
            queued: Mutex::default(),
            wake: Box::new(wake),
        }
    }

    /// Removes and returns all answers, each with the number of its call.
    pub(super) fn take(&self) -> Vec<(u64, Answer)> {
        std::mem::take(&mut self.queued.lock())
    }

    fn push(&self, number: u64, answer: Answer) {
        self.queued.lock().push((number, answer));
        (self.wake)();
    }
}
