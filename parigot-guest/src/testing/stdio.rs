//! Fake of standard input and output.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fake::Fake;
use crate::stdio::v1::{ReadResponse, StdioErr, WriteResponse, stdio};

/// Sizes of a read as on a host, in bytes.
const READ_BYTES_DEFAULT: usize = 64 << 10;
const READ_BYTES_MAX: usize = 1 << 20;

/// Standard input and output of the programs of a test. A clone is the same fake.
///
/// ```no_run
/// # use parigot_guest::Definition;
/// # use parigot_guest::testing::{FakeStdio, TestGuest};
/// # fn test(lengths: fn() -> Definition) {
/// let stdio = FakeStdio::new("one\nthree\n");
/// let mut lengths = TestGuest::new(lengths).stdio(&stdio).start();
/// assert_eq!(lengths.wait_for_exit(), 0);
/// assert_eq!(stdio.output(), b"3\n5\n");
/// # }
/// ```
///
/// In frames and faults of `TestHost` the fake is the guest `host/stdio`.
#[derive(Clone)]
pub struct FakeStdio {
    state: Arc<Mutex<FakeStreams>>,
}

struct FakeStreams {
    /// Input that is not read yet.
    input: Vec<u8>,
    output: Vec<u8>,
    is_closed: bool,
}

impl FakeStdio {
    /// Creates a fake with this input, which then ends.
    pub fn new(input: impl Into<Vec<u8>>) -> Self {
        FakeStdio {
            state: Arc::new(Mutex::new(FakeStreams {
                input: input.into(),
                output: Vec::new(),
                is_closed: false,
            })),
        }
    }

    /// Returns the output so far.
    pub fn output(&self) -> Vec<u8> {
        lock(&self.state).output.clone()
    }

    /// Lets later writes fail, as after the end of the program that reads the output.
    pub fn close_output(&self) {
        lock(&self.state).is_closed = true;
    }

    /// Returns the fake, for hosts of tests.
    #[doc(hidden)]
    pub fn fake(&self) -> Fake {
        let fake = Fake::new("host/stdio");
        let state = Arc::clone(&self.state);
        fake.on::<stdio::Read>(move |request| {
            let bytes_max = match request.bytes_max as usize {
                0 => READ_BYTES_DEFAULT,
                bytes => bytes.min(READ_BYTES_MAX),
            };
            let mut state = lock(&state);
            let input = &mut state.input;
            let length = input.len().min(bytes_max);
            Ok(ReadResponse {
                data: input.drain(..length).collect(),
            })
        });
        let state = Arc::clone(&self.state);
        fake.on::<stdio::Write>(move |request| {
            let mut state = lock(&state);
            if state.is_closed {
                return Err(StdioErr::Closed);
            }
            state.output.extend_from_slice(&request.data);
            Ok(WriteResponse {})
        });
        fake
    }
}

impl fmt::Debug for FakeStdio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeStdio").finish_non_exhaustive()
    }
}

fn lock(streams: &Mutex<FakeStreams>) -> MutexGuard<'_, FakeStreams> {
    streams.lock().unwrap_or_else(PoisonError::into_inner)
}
