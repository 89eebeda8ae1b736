//! Calls that a stand-in has in flight.

use std::collections::HashMap;

use parigot_abi::id::CallId;

/// Calls with what is kept of each, by the numbers that they have in this process, and by the ids that they have in all.
pub(super) struct InFlight<T> {
    calls: HashMap<u64, (CallId, T)>,
    numbers: HashMap<u128, u64>,
}

impl<T> InFlight<T> {
    pub(super) fn new() -> Self {
        InFlight {
            calls: HashMap::new(),
            numbers: HashMap::new(),
        }
    }

    pub(super) fn insert(&mut self, number: u64, id: CallId, kept: T) {
        self.calls.insert(number, (id, kept));
        self.numbers.insert(id.key(), number);
    }

    /// The call of that number is in flight no more, if it was.
    pub(super) fn take_number(&mut self, number: u64) -> Option<(CallId, T)> {
        let (id, kept) = self.calls.remove(&number)?;
        self.numbers.remove(&id.key());
        Some((id, kept))
    }

    /// The call of that id is in flight no more, if it was. Returns its number.
    pub(super) fn take_id(&mut self, id: CallId) -> Option<u64> {
        let number = self.numbers.remove(&id.key())?;
        self.calls.remove(&number);
        Some(number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }
}
