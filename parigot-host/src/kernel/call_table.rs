//! Things under numbers that somebody else has given them.

use hashbrown::HashMap;

/// How many things a table holds without its map.
const ENTRIES: usize = 64;

/// Guests and mailboxes number calls one after the other, or by the places of a table of their own. So a call's low bits are a place that is
/// free most often: what is in the way of another is moved to a map, and any numbers do.
pub(crate) struct Table<T> {
    /// None before the first thing, then [`ENTRIES`].
    places: Vec<Entry<T>>,
    rest: HashMap<u64, T>,
    len: usize,
}

#[derive(Clone)]
struct Entry<T> {
    /// Of what is here, or was here last.
    number: u64,
    thing: Option<T>,
}

/// Which place the thing of that number has.
fn place(number: u64) -> usize {
    number as usize % ENTRIES
}

impl<T: Copy> Table<T> {
    pub(crate) fn new() -> Self {
        Table {
            places: Vec::new(),
            rest: HashMap::new(),
            len: 0,
        }
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
        self.places
            .get(place(number))
            .is_some_and(|place| place.number == number && place.thing.is_some())
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        if self.has_place(number) {
            self.places[place(number)].thing.as_mut()
        } else if self.rest.is_empty() {
            None
        } else {
            self.rest.get_mut(&number)
        }
    }

    /// Puts a thing under a number that nothing else has. Always inlined, as what removes it: a thing is a few words that are at hand, and to pass
    /// them through memory takes longer than all the rest.
    #[inline(always)]
    pub(crate) fn insert(&mut self, number: u64, thing: T) {
        if self
            .places
            .get(place(number))
            .is_none_or(|place| place.thing.is_some())
        {
            self.make_room(number);
        }
        self.places[place(number)] = Entry {
            number,
            thing: Some(thing),
        };
        self.len += 1;
    }

    /// There are no places yet, or its place is taken.
    #[cold]
    fn make_room(&mut self, number: u64) {
        if self.places.is_empty() {
            self.places.resize(
                ENTRIES,
                Entry {
                    number: 0,
                    thing: None,
                },
            );
        }
        let Entry { number, thing } = &mut self.places[place(number)];
        self.rest.extend(thing.take().map(|thing| (*number, thing)));
    }

    #[inline(always)]
    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let thing = if self.has_place(number) {
            self.places[place(number)].thing.take()
        } else {
            self.remove_from_rest(number)
        };
        self.len -= usize::from(thing.is_some());
        thing
    }

    #[cold]
    fn remove_from_rest(&mut self, number: u64) -> Option<T> {
        self.rest.remove(&number)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.places
            .iter()
            .filter_map(|place| place.thing.as_ref())
            .chain(self.rest.values())
    }

    /// Takes out all for which `is_so`, in the order of their numbers.
    pub(crate) fn take_if(&mut self, is_so: impl Fn(&T) -> bool) -> Vec<(u64, T)> {
        let placed = self.places.iter_mut();
        let placed = placed
            .filter_map(|place| Some((place.number, place.thing.take_if(|thing| is_so(thing))?)));
        let mut taken: Vec<_> = placed
            .chain(self.rest.extract_if(|_, thing| is_so(thing)))
            .collect();
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
            assert_eq!(
                (table.contains(number), table.remove(number), table.len()),
                (false, None, left)
            );
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
        assert_eq!(
            (table.remove(65), table.remove(129)),
            (Some("elsewhere"), Some("third"))
        );
    }

    #[test]
    fn what_is_taken_comes_in_the_order_of_the_numbers() {
        let mut table = table();
        let small: Vec<_> = table
            .take_if(|thing| *thing < 300)
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
