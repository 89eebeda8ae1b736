//! The source of randomness: one cryptographic generator that seeds all others of the host.

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use crate::deployment::Deployment;

/// Randomness of a host. Equal seeds give equal sequences, so that a test can reproduce its ids.
///
/// The lock is taken once per instance and worker, never during a turn: each has a generator of its
/// own.
pub(crate) struct Randomness {
    root: Mutex<StdRng>,
}

impl Randomness {
    /// Creates the root generator from `seed`, or from the operating system.
    pub(crate) fn new(seed: Option<[u8; 32]>) -> Self {
        Randomness {
            root: Mutex::new(seed.map_or_else(StdRng::from_os_rng, StdRng::from_seed)),
        }
    }

    /// Returns a seed for a guest.
    pub(crate) fn seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.root.lock().fill_bytes(&mut seed);
        seed
    }

    /// Returns a generator for one thread.
    pub(crate) fn generator(&self) -> StdRng {
        StdRng::from_seed(self.seed())
    }
}

/// Returns the seed of a process of a deployment.
///
/// Processes with the same seed must not create the same ids: each would take the messages and
/// calls of the other for its own. The name of the process is therefore mixed into the seed.
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
    fn processes_mix_their_name_into_the_seed() {
        let file = "manifest_version = 1\n[program.a]\nwasm = 'a.wasm'\n\
                    [program.b]\nwasm = 'b.wasm'\n\
                    [process.front]\nguests = ['a']\n[process.back]\nguests = ['b']\n\
                    [network]\nnats = 'nats://127.0.0.1:4222'\n";
        let whole =
            Deployment::parse(file, "app.toml".as_ref()).expect("the file must be accepted");
        let given = [7; 32];
        let seed = |process| {
            seed_of(
                &whole.of_process(process).expect("the process must exist"),
                given,
            )
        };
        assert_eq!(seed_of(&whole, given), given, "all in one process");
        assert_eq!(seed("front"), seed("front"));
        assert!(seed("front") != seed("back") && seed("front") != given && seed("back") != given);
    }
}
