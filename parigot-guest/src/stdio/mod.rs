//! Standard input and output of a program: [`Stdin`], [`Stdout`].
//!
//! ```
//! # mod count {
//! use parigot_guest::stdio::{Stdin, StdioClient, Stdout};
//! use parigot_guest::{Context, Exit};
//!
//! #[parigot_guest::program(requires(StdioClient))]
//! async fn main(cx: Context) -> Result<Exit, parigot_guest::Error> {
//!     cx.launch().await?;
//!     let mut stdin = Stdin::locate(&cx)?;
//!     let stdout = Stdout::locate(&cx)?;
//!     while let Some(line) = stdin.read_line().await? {
//!         stdout.println(format_args!("{} bytes", line.len())).await?;
//!     }
//!     Ok(Exit::SUCCESS)
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! Both use the service `parigot.stdio.v1.Stdio`, which the host serves to programs and workers.
//! Standard error is the log: see [`info!`](crate::info).
//!
//! # Closed pipes
//!
//! In `parigot run app.toml | head -1` the reader of the pipe ends first. Later writes fail with
//! [`StdioErr::Closed`]. A program that returns this error from `main` ends quietly with status 0,
//! because the reader has read all it wants. To end with another status, match the error and return
//! an [`Exit`](crate::Exit).

#[rustfmt::skip]
mod generated;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use generated::parigot::stdio::v1;
pub use v1::{StdioClient, StdioErr};

use crate::context::Context;
use crate::error::{CallError, Error, LocateError};

/// Bytes of one call. Longer output is written in several calls.
const CALL_BYTES_MAX: usize = 64 << 10;

/// Standard output of the process. Cheap to clone.
///
/// Output reaches the operating system before a method returns, so a slow reader slows down the
/// program. Output of up to 64 KiB per call of a method stays together; parts of longer output may
/// be separated by the output of other tasks and programs.
#[derive(Clone)]
pub struct Stdout {
    client: StdioClient,
}

impl Stdout {
    /// Returns the standard output of the process.
    ///
    /// # Errors
    ///
    /// If the guest does not require [`StdioClient`], or is not launched yet.
    pub fn locate(cx: &Context) -> Result<Self, LocateError> {
        StdioClient::locate(cx).map(|client| Stdout { client })
    }

    /// Writes bytes or text.
    ///
    /// Dropping the future does not take back a call that was sent.
    ///
    /// # Errors
    ///
    /// [`StdioErr::Closed`] if the reader is gone. A status if the write fails, for example because
    /// the disk is full. Part of the bytes may be written then.
    pub async fn write(&self, bytes: impl AsRef<[u8]>) -> Result<(), CallError<StdioErr>> {
        for part in bytes.as_ref().chunks(CALL_BYTES_MAX) {
            let data = part.to_vec();
            self.client.write(v1::WriteRequest { data }).await?;
        }
        Ok(())
    }

    /// Writes a text and a line feed.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Stdout::write).
    pub async fn println(&self, text: impl fmt::Display) -> Result<(), CallError<StdioErr>> {
        self.write(format!("{text}\n")).await
    }
}

impl fmt::Debug for Stdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdout").finish_non_exhaustive()
    }
}

/// Standard input of the process, with a buffer.
///
/// The buffer takes up to 64 KiB more from standard input than the program has read. Create one
/// `Stdin` and pass it on: a second one does not see the bytes in the buffer of the first.
///
/// Dropping the future of a method loses no input.
pub struct Stdin {
    client: StdioClient,
    buffer: Vec<u8>,
    /// Start of the unread bytes in the buffer.
    start: usize,
}

impl Stdin {
    /// Returns the standard input of the process.
    ///
    /// # Errors
    ///
    /// If the guest does not require [`StdioClient`], or is not launched yet.
    pub fn locate(cx: &Context) -> Result<Self, LocateError> {
        StdioClient::locate(cx).map(|client| Stdin {
            client,
            buffer: Vec::new(),
            start: 0,
        })
    }

    /// Reads the next bytes as soon as there are some. Returns an empty vector at the end of the
    /// input.
    ///
    /// # Errors
    ///
    /// A status if standard input cannot be read.
    pub async fn read(&mut self) -> Result<Vec<u8>, CallError<StdioErr>> {
        if self.unread().is_empty() {
            self.fill().await?;
        }
        Ok(self.take_unread())
    }

    /// Reads a line, and returns the line without its end, `\n` or `\r\n`. Returns `None` at the
    /// end of the input. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// A line is limited only by the guest's memory.
    ///
    /// # Errors
    ///
    /// A status if standard input cannot be read.
    pub async fn read_line(&mut self) -> Result<Option<String>, CallError<StdioErr>> {
        let mut searched = 0;
        loop {
            let found = self.unread()[searched..].iter().position(|&b| b == b'\n');
            if let Some(found) = found {
                return Ok(Some(self.take_line(searched + found, 1)));
            }
            searched = self.unread().len();
            if !self.fill().await? {
                return Ok((searched > 0).then(|| self.take_line(searched, 0)));
            }
        }
    }

    /// Reads the input up to its end.
    ///
    /// # Errors
    ///
    /// A status if standard input cannot be read. The bytes read before stay in the buffer.
    pub async fn read_to_end(&mut self) -> Result<Vec<u8>, CallError<StdioErr>> {
        while self.fill().await? {}
        Ok(self.take_unread())
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn take_unread(&mut self) -> Vec<u8> {
        let bytes = self.buffer.split_off(self.start);
        self.buffer.clear();
        self.start = 0;
        bytes
    }

    /// Reads more bytes into the buffer. Returns false at the end of the input.
    async fn fill(&mut self) -> Result<bool, CallError<StdioErr>> {
        let bytes_max = CALL_BYTES_MAX as u32;
        let response = self.client.read(v1::ReadRequest { bytes_max }).await?;
        // Read bytes are removed only now, and not per line: each removal moves the rest.
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(&response.data);
        Ok(!response.data.is_empty())
    }

    /// Removes the first `bytes` unread bytes and the line feed behind them.
    fn take_line(&mut self, bytes: usize, line_feed: usize) -> String {
        let line = &self.unread()[..bytes];
        let line = match line_feed {
            0 => line,
            _ => line.strip_suffix(b"\r").unwrap_or(line),
        };
        let text = String::from_utf8_lossy(line).into_owned();
        self.start += bytes + line_feed;
        text
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin")
            .field("buffered", &self.unread().len())
            .finish_non_exhaustive()
    }
}

/// Returns true if an error says that the reader of standard output is gone.
pub(crate) fn is_closed(error: &Error) -> bool {
    error.find() == Some(&StdioErr::Closed)
}
