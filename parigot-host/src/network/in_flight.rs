//! Calls of a proxy that are in flight.

use std::collections::HashMap;

use parigot_abi::id::CallId;

/// Calls in flight with a value each, by number and by id. Frames of this process name a call by
/// its number, and messages of other processes by its id.
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

    pub(super) fn insert(&mut self, number: u64, id: CallId, value: T) {
        self.calls.insert(number, (id, value));
        self.numbers.insert(id.key(), number);
    }

    /// Returns the value of the call with a number.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.calls.get_mut(&number).map(|(_, value)| value)
    }

    /// Returns the id and the value of the call with a number.
    pub(super) fn get(&self, number: u64) -> Option<(CallId, &T)> {
        let (id, value) = self.calls.get(&number)?;
        Some((*id, value))
    }

    /// Returns the number of the call with an id.
    pub(super) fn number(&self, id: CallId) -> Option<u64> {
        self.numbers.get(&id.key()).copied()
    }

    /// Removes and returns the call with a number.
    pub(super) fn take_number(&mut self, number: u64) -> Option<(CallId, T)> {
        let (id, value) = self.calls.remove(&number)?;
        self.numbers.remove(&id.key());
        Some((id, value))
    }

    /// Removes the call with an id and returns its number and value.
    pub(super) fn take_id(&mut self, id: CallId) -> Option<(u64, T)> {
        let number = self.numbers.remove(&id.key())?;
        let (_, value) = self.calls.remove(&number)?;
        Some((number, value))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }
}
