//! Chance, seeded by the host: equal seeds give equal runs.

use alloc::boxed::Box;
use alloc::rc::Rc;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{CryptoRng, RngCore, SeedableRng};

use crate::id::{Id, IdType};
use crate::runtime::guest::Guest;

/// The state of a guest's generator. The cipher is set up when it is first used, and linked only if it is.
pub(crate) enum Generator {
    Seeded([u8; 32]),
    Running(Box<ChaCha12Rng>),
}

impl Default for Generator {
    fn default() -> Self {
        Generator::Seeded([0; 32])
    }
}

impl Generator {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Generator::Seeded(seed)
    }

    fn running(&mut self) -> &mut ChaCha12Rng {
        if let Generator::Seeded(seed) = self {
            *self = Generator::Running(Box::new(ChaCha12Rng::from_seed(*seed)));
        }
        match self {
            Generator::Running(cipher) => cipher,
            Generator::Seeded(_) => unreachable!("it was started a line above"),
        }
    }
}

/// The guest's random generator: cryptographic, ChaCha with 12 rounds, as in `rand`'s `StdRng`.
///
/// It implements the traits of [`rand_core`](crate::rand_core), so it can be given to `rand` and the like.
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

    /// A new id.
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
        self.guest.fill_random(bytes);
    }
}

impl CryptoRng for Random {}

impl Guest {
    pub(crate) fn fill_random(&self, bytes: &mut [u8]) {
        self.generator.borrow_mut().running().fill_bytes(bytes);
    }
}
