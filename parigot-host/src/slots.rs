//! Things under numbers that are not used twice.

/// A number is a place in a table, and above that how often the place has been used: looking up is an index, and a number of
/// something that is gone finds nothing. No number is 0.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    /// How often each place that is not in the table counts as used.
    uses_before: u32,
}

#[derive(Debug)]
struct Slot<T> {
    uses: u32,
    thing: Option<T>,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        Slots { slots: Vec::new(), free: Vec::new(), uses_before: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Puts a thing under a new number.
    pub(crate) fn insert(&mut self, thing: T) -> u64 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { uses: self.uses_before, thing: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[place as usize];
        slot.uses = slot.uses.wrapping_add(1).max(1);
        slot.thing = Some(thing);
        u64::from(slot.uses) << 32 | u64::from(place)
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot<T>> {
        self.slots.get_mut(number as u32 as usize).filter(|slot| u64::from(slot.uses) == number >> 32)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.slot(number)?.thing.as_mut()
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let thing = self.slot(number)?.thing.take()?;
        self.free.push(number as u32);
        Some(thing)
    }

    /// Takes the whole table out. What comes later gets none of its numbers.
    pub(crate) fn take(&mut self) -> Self {
        let uses_before = self.slots.iter().map(|slot| slot.uses).max().unwrap_or(self.uses_before);
        std::mem::replace(self, Slots { uses_before, ..Slots::new() })
    }

    /// All that is left, with its numbers.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = (u64, T)> {
        let number = |place: usize, uses: u32| u64::from(uses) << 32 | place as u64;
        let slots = self.slots.into_iter().enumerate();
        slots.filter_map(move |(place, slot)| Some((number(place, slot.uses), slot.thing?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_not_used_twice() {
        let mut slots = Slots::new();
        let first = slots.insert("a");
        assert_ne!(first, 0);
        assert_eq!(slots.remove(first), Some("a"));
        let second = slots.insert("b");
        assert_ne!(first, second);
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!((slots.len(), slots.get_mut(second)), (1, Some(&mut "b")));
    }

    #[test]
    fn a_number_of_a_table_that_was_taken_is_not_used_again() {
        let mut slots = Slots::new();
        let first = slots.insert("a");
        slots.remove(first);
        let second = slots.insert("b");
        let taken = slots.take();
        assert_eq!(taken.into_iter().collect::<Vec<_>>(), [(second, "b")]);
        assert_eq!(slots.take().len(), 0);
        let third = slots.insert("c");
        assert!(third != first && third != second);
        assert_eq!((slots.remove(first), slots.remove(second), slots.remove(third)), (None, None, Some("c")));
    }

    #[test]
    fn numbers_that_were_never_given_find_nothing() {
        let mut slots = Slots::new();
        slots.insert("a");
        assert_eq!(slots.remove(0), None);
        assert_eq!(slots.remove(u64::MAX), None);
        assert_eq!(slots.into_iter().map(|(_, thing)| thing).collect::<Vec<_>>(), ["a"]);
    }
}
