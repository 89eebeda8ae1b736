//! Threads that read stdin and write stdout.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;

use crate::guest::stack::spawn;
use crate::kernel::proxy_waker::ProxyWaker;

/// Result of a thread's work.
#[derive(Debug)]
pub(super) enum StreamResult {
    /// Bytes from stdin; empty at the end of the input.
    Read(io::Result<Vec<u8>>),
    /// The end of the oldest write.
    Written(io::Result<()>),
}

/// Queue of results for the service.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `queued` | mutex | threads | service |
/// | `waker` | once-cell | start of the kernel | threads |
#[derive(Default)]
pub(super) struct Results {
    queued: Mutex<Vec<StreamResult>>,
    waker: Arc<ProxyWaker>,
}

impl Results {
    pub(super) fn waker(&self) -> Arc<ProxyWaker> {
        Arc::clone(&self.waker)
    }

    /// Removes and returns all results.
    pub(super) fn take(&self) -> Vec<StreamResult> {
        std::mem::take(&mut self.queued.lock())
    }

    /// Appends a result and wakes the service.
    fn push(&self, result: StreamResult) {
        self.queued.lock().push(result);
        self.waker.wake();
    }
}

/// The two threads. Each works in the order of the requests.
///
/// The threads are never joined: nothing interrupts a read of a terminal, or a write to a pipe
/// whose reader does not read. A thread ends when `Streams` is dropped, after its current work.
pub(super) struct Streams {
    reads: Sender<usize>,
    writes: Sender<Vec<u8>>,
}

impl Streams {
    /// Starts the threads on these files; `None` stands for the stream of this process.
    ///
    /// # Errors
    ///
    /// If a stream of this process cannot be opened, or if the system does not start the threads.
    pub(super) fn start(
        stdin: Option<Arc<File>>,
        stdout: Option<Arc<File>>,
        results: &Arc<Results>,
    ) -> io::Result<Self> {
        let mut stdin = match stdin {
            Some(file) => Box::new(file) as Box<dyn Read + Send>,
            None => process::stdin()?,
        };
        let mut stdout = match stdout {
            Some(file) => Box::new(file) as Box<dyn Write + Send>,
            None => process::stdout()?,
        };
        let (reads, to_read): (_, Receiver<usize>) = channel();
        let (writes, to_write): (_, Receiver<Vec<u8>>) = channel();
        let of_reader = Arc::clone(results);
        spawn("parigot stdin", move || {
            for bytes_max in to_read {
                of_reader.push(StreamResult::Read(read(&mut *stdin, bytes_max)));
            }
        })?;
        let of_writer = Arc::clone(results);
        spawn("parigot stdout", move || {
            for bytes in to_write {
                let written = stdout.write_all(&bytes).and_then(|()| stdout.flush());
                of_writer.push(StreamResult::Written(written));
            }
        })?;
        Ok(Streams { reads, writes })
    }

    /// Reads up to `bytes_max` bytes from stdin.
    pub(super) fn read(&self, bytes_max: usize) {
        self.reads.send(bytes_max).expect("the thread must run");
    }

    /// Writes bytes to stdout.
    pub(super) fn write(&self, bytes: Vec<u8>) {
        self.writes.send(bytes).expect("the thread must run");
    }
}

/// Reads once, as soon as there are bytes. Returns no bytes at the end of the input.
fn read(stdin: &mut dyn Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; bytes_max];
    loop {
        match stdin.read(&mut bytes) {
            Ok(length) => {
                bytes.truncate(length);
                return Ok(bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The streams of this process without the buffers of `std::io`: the buffer of stdin would take
/// more input than a program asks for, and the buffer of stdout keeps bytes after an error.
#[cfg(unix)]
mod process {
    use std::fs::File;
    use std::io::{self, Read, Write};
    use std::os::fd::AsFd;

    pub(super) fn stdin() -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::from(
            io::stdin().as_fd().try_clone_to_owned()?,
        )))
    }

    pub(super) fn stdout() -> io::Result<Box<dyn Write + Send>> {
        Ok(Box::new(File::from(
            io::stdout().as_fd().try_clone_to_owned()?,
        )))
    }
}

/// The streams of this process.
#[cfg(not(unix))]
mod process {
    use std::io::{self, Read, Write};

    pub(super) fn stdin() -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::stdin()))
    }

    pub(super) fn stdout() -> io::Result<Box<dyn Write + Send>> {
        Ok(Box::new(io::stdout()))
    }
}
