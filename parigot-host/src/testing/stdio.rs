//! Fake of standard input and output.

use std::fmt;
use std::sync::Arc;

use parigot_guest::stdio::v1::{ReadResponse, StdioErr, WriteResponse, stdio};
use parking_lot::Mutex;

use super::builder::TestHost;
use super::fake::Fake;
use crate::limits::{STDIN_READ_BYTES_DEFAULT, STDIN_READ_BYTES_MAX};
use crate::stdio::NAME;

/// Standard input and output of the programs of a test. A clone is the same fake.
///
/// ```no_run
/// use parigot_host::deployment::GuestSpec;
/// use parigot_host::testing::{FakeStdio, TestHost};
///
/// let stdio = FakeStdio::new("one\nthree\n");
/// let mut run = TestHost::new()
///     .guest(GuestSpec::program("lengths", "build/lengths.wasm"))
///     .stdio(&stdio)
///     .start();
/// assert_eq!(run.wait_for_exit("lengths"), 0);
/// assert_eq!(stdio.output(), b"3\n5\n");
/// ```
///
/// In frames and faults the fake is the guest `host/stdio`.
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
        self.state.lock().output.clone()
    }

    /// Lets later writes fail, as after the end of the program that reads the output.
    pub fn close_output(&self) {
        self.state.lock().is_closed = true;
    }

    fn fake(&self) -> Fake {
        let fake = Fake::new(NAME);
        let state = Arc::clone(&self.state);
        fake.on::<stdio::Read>(move |request| {
            let bytes_max = match request.bytes_max as usize {
                0 => STDIN_READ_BYTES_DEFAULT,
                bytes => bytes.min(STDIN_READ_BYTES_MAX),
            };
            let input = &mut state.lock().input;
            let length = input.len().min(bytes_max);
            Ok(ReadResponse {
                data: input.drain(..length).collect(),
            })
        });
        let state = Arc::clone(&self.state);
        fake.on::<stdio::Write>(move |request| {
            let mut state = state.lock();
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

impl TestHost {
    /// Serves standard input and output to the programs and workers that require them.
    pub fn stdio(self, stdio: &FakeStdio) -> Self {
        self.fake(&stdio.fake())
    }
}
