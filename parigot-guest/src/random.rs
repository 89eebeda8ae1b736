//! Random numbers, seeded by the host: equal seeds give equal runs.

use alloc::rc::Rc;

use parigot_abi::id::{Id, IdType};
use rand_chacha::rand_core::{CryptoRng, RngCore};

use crate::runtime::guest::Guest;

/// The guest's random generator. It is cryptographic: ChaCha with 12 rounds, like `rand`'s
/// `StdRng`.
///
/// It implements the traits of [`rand_core`](crate::rand_core), so you can pass it to `rand` and
/// similar crates.
#[derive(Clone)]
pub struct Random {
    guest: Rc<Guest>,
}

impl Random {
    pub(crate) fn new(guest: &Rc<Guest>) -> Self {
        Random {
            guest: Rc::clone(guest),
        }
    }

    /// Returns a new random id.
    pub fn id<T: IdType>(&mut self) -> Id<T> {
        Id::from_random((self.next_u64() as u128) << 64 | self.next_u64() as u128)
    }
}

impl RngCore for Random {
    fn next_u32(&mut self) -> u32 {
        self.guest.generator.borrow_mut().running().next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.guest.generator.borrow_mut().running().next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.guest.generator.borrow_mut().fill(bytes);
    }
}

impl CryptoRng for Random {}
