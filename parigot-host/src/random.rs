//! Where randomness comes from: one cryptographic generator, from which everything else in the host is seeded.

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use crate::deployment::Deployment;

/// The host's randomness. From one seed comes one sequence, so that a test can have the same ids twice.
pub(crate) struct Randomness {
    root: Mutex<StdRng>,
}

impl Randomness {
    /// Seeded by `seed`, or by the operating system.
    pub(crate) fn new(seed: Option<[u8; 32]>) -> Self {
        Randomness {
            root: Mutex::new(seed.map_or_else(StdRng::from_os_rng, StdRng::from_seed)),
        }
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

/// The seed of a host that runs a deployment.
///
/// Processes that were given the same seed must not have the same ids: each would take what others say and call for its own.
pub(crate) fn seed_of(deployment: &Deployment, mut seed: [u8; 32]) -> [u8; 32] {
    let process = deployment
        .network
        .as_ref()
        .map_or("", |network| &network.process);
    for part in process.as_bytes().chunks(seed.len()) {
        seed.iter_mut()
            .zip(part)
            .for_each(|(byte, mixed_in)| *byte ^= mixed_in);
        seed = StdRng::from_seed(seed).random();
    }
    seed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_were_given_the_same_seed_have_one_each() {
        let file = "manifest_version = 1\n[program.a]\nwasm = 'a.wasm'\n[program.b]\nwasm = 'b.wasm'\n\
                    [process.front]\nguests = ['a']\n[process.back]\nguests = ['b']\n\
                    [network]\nnats = 'nats://127.0.0.1:4222'\n";
        let whole = Deployment::parse(file, "app.toml".as_ref()).expect("the file is right");
        let given = [7; 32];
        let seed = |process| seed_of(&whole.of_process(process).expect("there is one"), given);
        assert_eq!(seed_of(&whole, given), given, "all in one process");
        assert_eq!(seed("front"), seed("front"));
        assert!(seed("front") != seed("back") && seed("front") != given && seed("back") != given);
    }
}
