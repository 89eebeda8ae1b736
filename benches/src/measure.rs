//! The measures and the contenders that they use.

use crate::host::Guests;
use crate::report::Row;
use crate::tokio::Tokio;

/// Default number of rounds of each contender of a measure.
pub(crate) const ROUNDS: usize = 15;

/// The built contenders.
pub(crate) struct Bench {
    pub(crate) rounds: usize,
    pub(crate) guests: Guests,
    pub(crate) tokio: Tokio,
}

/// A named measurement.
pub(crate) struct Measure {
    pub(crate) name: String,
    pub(crate) run: Box<dyn Fn(&Bench) -> Row>,
}

impl Bench {
    pub(crate) fn build(rounds: usize) -> Self {
        Bench {
            rounds: rounds.max(ROUNDS),
            guests: Guests::build(),
            tokio: Tokio::build(),
        }
    }
}

impl Measure {
    pub(crate) fn new(name: impl Into<String>, run: impl Fn(&Bench) -> Row + 'static) -> Self {
        Measure {
            name: name.into(),
            run: Box::new(run),
        }
    }
}
