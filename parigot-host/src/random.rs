//! Where randomness comes from: one cryptographic generator, from which everything else in the host is seeded.

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// The host's randomness. From one seed comes one sequence, so that a test can have the same ids twice.
pub(crate) struct Randomness {
    root: Mutex<StdRng>,
}

impl Randomness {
    /// Seeded by `seed`, or by the operating system.
    pub(crate) fn new(seed: Option<[u8; 32]>) -> Self {
        Randomness { root: Mutex::new(seed.map_or_else(StdRng::from_os_rng, StdRng::from_seed)) }
    }

    /// A seed for a guest.
    pub(crate) fn seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.root.lock().fill_bytes(&mut seed);
        seed
    }

    /// A generator that one thread keeps.
    pub(crate) fn generator(&self) -> StdRng {
        StdRng::from_seed(self.seed())
    }
}
