//! Things under numbers that somebody else has given them.

use hashbrown::HashMap;

/// How many things a table holds without its map.
const PLACES: usize = 64;

/// Guests number their calls one after the other, or by the places of a table of their own. So a call's low bits are a place that is
/// free most often: what finds it taken is in a map, and any numbers do.
pub(crate) struct Table<T> {
    /// None before the first thing, then [`PLACES`].
    places: Vec<Option<(u64, T)>>,
    rest: HashMap<u64, T>,
    len: usize,
}

/// The place of the thing of that number.
fn place(number: u64) -> usize {
    number as usize % PLACES
}

impl<T> Table<T> {
    pub(crate) fn new() -> Self {
        Table { places: Vec::new(), rest: HashMap::new(), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.has_place(number) || !self.rest.is_empty() && self.rest.contains_key(&number)
    }

    #[inline]
    fn has_place(&self, number: u64) -> bool {
        matches!(self.places.get(place(number)), Some(Some((known, _))) if *known == number)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        if self.has_place(number) {
            self.places[place(number)].as_mut().map(|(_, thing)| thing)
        } else if self.rest.is_empty() {
            None
        } else {
            self.rest.get_mut(&number)
        }
    }

    /// Puts a thing under a number that nothing else has.
    #[inline]
    pub(crate) fn insert(&mut self, number: u64, thing: T) {
        self.len += 1;
        match self.places.get_mut(place(number)) {
            Some(free @ None) => *free = Some((number, thing)),
            _ => self.insert_elsewhere(number, thing),
        }
    }

    /// There are no places yet, or its place is taken.
    #[cold]
    fn insert_elsewhere(&mut self, number: u64, thing: T) {
        if self.places.is_empty() {
            self.places.resize_with(PLACES, || None);
            self.places[place(number)] = Some((number, thing));
        } else {
            self.rest.insert(number, thing);
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let thing = if self.has_place(number) {
            self.places[place(number)].take().map(|(_, thing)| thing)
        } else if self.rest.is_empty() {
            None
        } else {
            self.rest.remove(&number)
        };
        self.len -= usize::from(thing.is_some());
        thing
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten().map(|(_, thing)| thing).chain(self.rest.values())
    }

    /// Takes out all for which `is_so`, in the order of their numbers.
    pub(crate) fn take_if(&mut self, is_so: impl Fn(&T) -> bool) -> Vec<(u64, T)> {
        let placed = self.places.iter_mut().filter_map(|at| at.take_if(|(_, thing)| is_so(thing)));
        let mut taken: Vec<_> = placed.chain(self.rest.extract_if(|_, thing| is_so(thing))).collect();
        taken.sort_unstable_by_key(|(number, _)| *number);
        self.len -= taken.len();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of which some share a place, the lowest last.
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
    fn things_that_share_a_place_are_found_by_their_numbers() {
        let mut table = table();
        assert_eq!(table.len(), NUMBERS.len());
        assert_eq!((table.contains(193), table.remove(193)), (false, None));
        for (left, number) in (0..NUMBERS.len()).rev().zip(NUMBERS) {
            assert!(table.contains(number));
            assert_eq!(table.remove(number), Some(number % 1000 * 3));
            assert_eq!((table.contains(number), table.remove(number), table.len()), (false, None, left));
        }
        assert_eq!(table.values().count(), 0);
    }

    #[test]
    fn a_place_that_is_free_again_does_not_hide_what_was_put_elsewhere() {
        let mut table = Table::new();
        table.insert(1, "first");
        table.insert(65, "elsewhere");
        assert_eq!(table.remove(1), Some("first"));
        assert!(table.contains(65));
        table.insert(129, "third");
        assert_eq!((table.remove(65), table.remove(129)), (Some("elsewhere"), Some("third")));
    }

    #[test]
    fn what_is_taken_comes_in_the_order_of_the_numbers() {
        let mut table = table();
        let small: Vec<_> = table.take_if(|thing| *thing < 300).into_iter().map(|(number, _)| number).collect();
        assert_eq!(small, [1, 2, 65]);
        let rest: Vec<_> = table.take_if(|_| true).into_iter().map(|(number, _)| number).collect();
        assert_eq!(rest, [129, 1 << 32 | 1, u64::MAX]);
        assert_eq!(table.len(), 0);
    }
}
