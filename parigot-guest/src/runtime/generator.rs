//! The state of a guest's random generator.

use alloc::boxed::Box;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Random generator, seeded by the host. The cipher is set up on first use, and linked only into
/// guests that use it.
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

    /// Returns the cipher, and sets it up first if this is the first use.
    pub(crate) fn running(&mut self) -> &mut ChaCha12Rng {
        if let Generator::Seeded(seed) = self {
            *self = Generator::Running(Box::new(ChaCha12Rng::from_seed(*seed)));
        }
        match self {
            Generator::Running(cipher) => cipher,
            Generator::Seeded(_) => unreachable!("the cipher was set up a line above"),
        }
    }

    /// Fills `bytes` with random bytes.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.running().fill_bytes(bytes);
    }
}
