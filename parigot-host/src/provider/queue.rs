//! Queue of a provider, between its proxies and its thread, and the end that the provider reads.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::answer::Answer;
use super::call::Call;
use crate::clock::Clock;
use crate::error::Failure;
use crate::limits::{PROVIDER_CALL_BYTES_MAX, PROVIDER_CALLS_MAX};

/// Calls to a provider, in the order of their arrival. The iterator waits for each call, and ends
/// with the deployment.
///
/// A call whose deadline has passed, or whose caller has cancelled it, is not returned.
pub struct Calls {
    queue: Arc<CallQueue>,
}

impl Calls {
    pub(crate) fn new(queue: Arc<CallQueue>) -> Self {
        Calls { queue }
    }

    /// Returns the queue.
    pub(crate) fn queue(&self) -> Arc<CallQueue> {
        Arc::clone(&self.queue)
    }

    pub(super) fn end(&self) {
        self.queue.end();
    }

    /// Waits for a call, and returns all calls that wait by then, at most `calls_max`. The result
    /// is empty at the end.
    ///
    /// A provider that handles several calls at once, as a store that writes them to the disk
    /// together, is the faster the more calls arrive.
    pub fn next_group(&mut self, calls_max: usize) -> Vec<Call> {
        self.queue.take(calls_max.max(1))
    }
}

impl Iterator for Calls {
    type Item = Call;

    fn next(&mut self) -> Option<Call> {
        self.next_group(1).pop()
    }
}

/// The end of the provider's function ends the calls that wait, and refuses further ones.
impl Drop for Calls {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

/// Queue of a provider.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `provider`, `clock` | immutable | start | all threads |
/// | `state` | mutex | proxies, thread of the provider | proxies, thread of the provider |
/// | `changed` | – | proxies | thread of the provider |
pub(crate) struct CallQueue {
    provider: String,
    clock: Arc<dyn Clock>,
    state: Mutex<QueueState>,
    /// Signalled after each call, and when the last proxy has left.
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    /// Calls that wait, each with its ticket: tickets grow.
    waiting: VecDeque<(u64, Call)>,
    waiting_bytes: usize,
    last_ticket: u64,
    /// Proxies that may still send calls.
    proxies: usize,
    /// The function of the provider has returned.
    has_ended: bool,
}

impl CallQueue {
    pub(crate) fn new(provider: &str, clock: &Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(CallQueue {
            provider: provider.to_owned(),
            clock: Arc::clone(clock),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Adds a proxy, which leaves by [`leave`](Self::leave).
    pub(super) fn join(&self) {
        self.state.lock().proxies += 1;
    }

    /// Removes a proxy. After the last one, the thread of the provider gets no further calls.
    pub(super) fn leave(&self) {
        self.state.lock().proxies -= 1;
        self.changed.notify_one();
    }

    /// Returns true while proxies may still send calls.
    pub(crate) fn is_open(&self) -> bool {
        self.state.lock().proxies > 0
    }

    /// Returns the number of calls that wait.
    #[cfg(feature = "testing")]
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Appends a call, and returns its ticket.
    ///
    /// # Errors
    ///
    /// With the answer to the call if the queue is full or the provider has ended.
    pub(super) fn push(&self, mut call: Call) -> Result<u64, Answer> {
        let mut state = self.state.lock();
        let refusal = if state.has_ended {
            Some(Answer::refused(&self.ended()))
        } else if state.waiting.len() >= PROVIDER_CALLS_MAX
            || state.waiting_bytes + call.payload.len() > PROVIDER_CALL_BYTES_MAX
        {
            let (calls, bytes) = (state.waiting.len(), state.waiting_bytes);
            let failure = Failure::provider_busy(&self.provider, calls, bytes);
            Some(Answer::from(&failure))
        } else {
            None
        };
        if let Some(answer) = refusal {
            // The proxy answers the call itself.
            call.number = None;
            return Err(answer);
        }
        state.last_ticket += 1;
        let ticket = state.last_ticket;
        state.waiting_bytes += call.payload.len();
        state.waiting.push_back((ticket, call));
        drop(state);
        self.changed.notify_one();
        Ok(ticket)
    }

    /// Removes a call that waits, and returns true, or false if the provider has begun the call.
    pub(super) fn remove(&self, ticket: u64) -> bool {
        let mut state = self.state.lock();
        let Ok(at) = state
            .waiting
            .binary_search_by_key(&ticket, |(known, _)| *known)
        else {
            return false;
        };
        let (_, mut call) = state.waiting.remove(at).expect("the call was just found");
        state.waiting_bytes -= call.payload.len();
        // The proxy answers the call itself.
        call.number = None;
        true
    }

    /// Waits for calls and returns at most `calls_max`; none after the end.
    pub(super) fn take(&self, calls_max: usize) -> Vec<Call> {
        loop {
            let waiting = self.wait(calls_max);
            let is_end = waiting.is_empty();
            let now_ns = self.clock.monotonic_ns();
            let (taken, expired): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|call| call.deadline_ns > now_ns);
            for call in expired {
                call.answer(Answer::from(&Failure::expired()));
            }
            if is_end || !taken.is_empty() {
                return taken;
            }
        }
    }

    /// Waits for calls and returns at most `calls_max`, also those whose deadline has passed.
    fn wait(&self, calls_max: usize) -> Vec<Call> {
        let mut state = self.state.lock();
        while state.waiting.is_empty() && state.proxies > 0 {
            self.changed.wait(&mut state);
        }
        let count = state.waiting.len().min(calls_max);
        let calls: Vec<_> = state.waiting.drain(..count).map(|(_, call)| call).collect();
        state.waiting_bytes -= calls.iter().map(|call| call.payload.len()).sum::<usize>();
        calls
    }

    /// Refuses the calls that wait, and all further ones.
    pub(super) fn end(&self) {
        let waiting = {
            let mut state = self.state.lock();
            state.has_ended = true;
            state.waiting_bytes = 0;
            std::mem::take(&mut state.waiting)
        };
        for (_, call) in waiting {
            call.answer(Answer::refused(&self.ended()));
        }
    }

    fn ended(&self) -> String {
        format!("the provider `{}` has ended; see the log", self.provider)
    }
}
