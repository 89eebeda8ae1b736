//! Table of values under numbers that the other side of a call has chosen.

use hashbrown::HashMap;

/// Number of direct entries of a table.
const ENTRIES: usize = 64;

/// Map from call numbers to values, with a fast path for numbers that are almost sequential.
///
/// # Fast path
///
/// Guests and mailboxes count their calls up, or number them by the indexes of a table of their
/// own. Thus the low bits of a number select a direct entry that is usually free. This saves the
/// hash: with two other changes to frames, 150 instructions per call (benches/README.md). A value
/// whose entry is needed for another number moves to a hash map, so the table is correct for all
/// numbers. The test `values_that_share_an_entry_are_found_by_number` proves both paths equal.
pub(crate) struct Table<T> {
    /// Empty before the first value, then [`ENTRIES`] entries: an instance that never makes or
    /// serves a call takes no memory for the table.
    entries: Vec<Entry<T>>,
    /// Values whose direct entry holds another number.
    overflow: HashMap<u64, T>,
    len: usize,
}

#[derive(Clone)]
struct Entry<T> {
    /// Number of the value, or of the last value while the entry is free.
    number: u64,
    value: Option<T>,
}

/// Returns the index of the direct entry for a number.
fn index(number: u64) -> usize {
    number as usize % ENTRIES
}

impl<T: Copy> Table<T> {
    /// Creates an empty table.
    pub(crate) fn new() -> Self {
        Table {
            entries: Vec::new(),
            overflow: HashMap::new(),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn contains(&self, number: u64) -> bool {
        // The overflow is empty most of the time; the check saves computing a hash.
        self.is_direct(number) || !self.overflow.is_empty() && self.overflow.contains_key(&number)
    }

    /// Returns whether the value of the number is in its direct entry.
    #[inline]
    fn is_direct(&self, number: u64) -> bool {
        self.entries
            .get(index(number))
            .is_some_and(|entry| entry.number == number && entry.value.is_some())
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        if self.is_direct(number) {
            self.entries[index(number)].value.as_mut()
        } else if self.overflow.is_empty() {
            None
        } else {
            self.overflow.get_mut(&number)
        }
    }

    /// Inserts a value under a number that has no value yet.
    ///
    /// Always inlined, as is [`remove`](Table::remove): a value is a few words in registers, and
    /// passing them through memory would take longer than the rest of the function.
    #[inline(always)]
    pub(crate) fn insert(&mut self, number: u64, value: T) {
        if self
            .entries
            .get(index(number))
            .is_none_or(|entry| entry.value.is_some())
        {
            self.make_room(number);
        }
        self.entries[index(number)] = Entry {
            number,
            value: Some(value),
        };
        self.len += 1;
    }

    /// Frees the direct entry of a number: allocates the entries, or moves the older value to the
    /// overflow.
    #[cold]
    fn make_room(&mut self, number: u64) {
        if self.entries.is_empty() {
            self.entries.resize(
                ENTRIES,
                Entry {
                    number: 0,
                    value: None,
                },
            );
        }
        let Entry { number, value } = &mut self.entries[index(number)];
        self.overflow
            .extend(value.take().map(|value| (*number, value)));
    }

    /// Removes the value of a number and returns it.
    #[inline(always)]
    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let value = if self.is_direct(number) {
            self.entries[index(number)].value.take()
        } else {
            self.remove_from_overflow(number)
        };
        self.len -= usize::from(value.is_some());
        value
    }

    #[cold]
    fn remove_from_overflow(&mut self, number: u64) -> Option<T> {
        self.overflow.remove(&number)
    }

    /// Returns all values, in no particular order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.entries
            .iter()
            .filter_map(|entry| entry.value.as_ref())
            .chain(self.overflow.values())
    }

    /// Returns the numbers of all values, in no particular order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.entries
            .iter()
            .filter(|entry| entry.value.is_some())
            .map(|entry| entry.number)
            .chain(self.overflow.keys().copied())
    }

    /// Removes all values for which `predicate` holds, and returns them in the order of their
    /// numbers. The order makes runs with a seed repeatable, since a hash map has none.
    pub(crate) fn take_if(&mut self, predicate: impl Fn(&T) -> bool) -> Vec<(u64, T)> {
        let direct = self.entries.iter_mut().filter_map(|entry| {
            let value = entry.value.take_if(|value| predicate(value))?;
            Some((entry.number, value))
        });
        let overflow = self.overflow.extract_if(|_, value| predicate(value));
        let mut taken: Vec<_> = direct.chain(overflow).collect();
        taken.sort_unstable_by_key(|(number, _)| *number);
        self.len -= taken.len();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of which some share an entry, the lowest last.
    const NUMBERS: [u64; 6] = [u64::MAX, 1 << 32 | 1, 129, 65, 2, 1];

    fn table() -> Table<u64> {
        let mut table = Table::new();
        for number in NUMBERS {
            assert!(!table.contains(number));
            table.insert(number, number % 1000 * 3);
        }
        table
    }

    #[test]
    fn values_that_share_an_entry_are_found_by_number() {
        let mut table = table();
        assert_eq!(table.len(), NUMBERS.len());
        assert_eq!((table.contains(193), table.remove(193)), (false, None));
        for (left, number) in (0..NUMBERS.len()).rev().zip(NUMBERS) {
            assert!(table.contains(number));
            assert_eq!(table.remove(number), Some(number % 1000 * 3));
            assert_eq!(
                (table.contains(number), table.remove(number), table.len()),
                (false, None, left)
            );
        }
        assert_eq!(table.values().count(), 0);
    }

    #[test]
    fn a_freed_entry_does_not_hide_the_overflow() {
        let mut table = Table::new();
        table.insert(1, "first");
        table.insert(65, "second");
        assert_eq!(table.remove(1), Some("first"));
        assert!(table.contains(65));
        table.insert(129, "third");
        assert_eq!(
            (table.remove(65), table.remove(129)),
            (Some("second"), Some("third"))
        );
    }

    #[test]
    fn taken_values_come_in_the_order_of_their_numbers() {
        let mut table = table();
        let small: Vec<_> = table
            .take_if(|value| *value < 300)
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        assert_eq!(small, [1, 2, 65]);
        let rest: Vec<_> = table
            .take_if(|_| true)
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        assert_eq!(rest, [129, 1 << 32 | 1, u64::MAX]);
        assert_eq!(table.len(), 0);
    }
}
