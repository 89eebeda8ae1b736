//! Built-in guest that exports `parigot.stdio.v1.Stdio`.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;

use parigot_abi::control::NEVER;
use parigot_abi::frame::{NO_DEADLINE, flags};
use parigot_abi::{Frame, Header, Kind, Manifest};
use parigot_guest::Method;
use parigot_guest::prost::Message;
use parigot_guest::stdio::v1::{ReadRequest, ReadResponse, StdioErr, WriteRequest, stdio};

use super::streams::{Results, StreamResult, Streams};
use crate::error::{Failure, GuestFault, Stack};
use crate::guest::builtin::{BuiltIn, BuiltinOutbox};
use crate::limits::{MAILBOX_BYTES_MAX, STDIN_READ_BYTES_DEFAULT, STDIN_READ_BYTES_MAX};

/// Service of standard input and output.
///
/// The kernel ends the calls of a service that exits; so calls that read need no reply at the end.
pub(super) struct StdioService {
    stdin: Option<Arc<File>>,
    stdout: Option<Arc<File>>,
    results: Arc<Results>,
    /// Present from the launch on.
    streams: Option<Streams>,
    /// Calls that wait for input, in the order of arrival.
    reads: VecDeque<PendingRead>,
    /// Set while the thread reads for the first call of `reads`, or for a cancelled one.
    is_reading: bool,
    /// Input for a call that was cancelled.
    unread: Vec<u8>,
    /// Calls whose bytes the thread writes, in the order of arrival.
    writes: VecDeque<PendingWrite>,
    /// Sum of the bytes of `writes`.
    write_bytes: usize,
    is_stopping: bool,
}

/// Call that waits for input.
struct PendingRead {
    number: u64,
    bytes_max: usize,
}

/// Call whose bytes are being written.
struct PendingWrite {
    number: u64,
    bytes: usize,
}

impl StdioService {
    /// Creates the service for these files; `None` stands for the stream of this process.
    pub(super) fn new(
        stdin: Option<Arc<File>>,
        stdout: Option<Arc<File>>,
        results: Arc<Results>,
    ) -> Self {
        StdioService {
            stdin,
            stdout,
            results,
            streams: None,
            reads: VecDeque::new(),
            is_reading: false,
            unread: Vec::new(),
            writes: VecDeque::new(),
            write_bytes: 0,
            is_stopping: false,
        }
    }

    fn launch(&mut self, outbox: &mut BuiltinOutbox) -> Result<(), GuestFault> {
        let streams = Streams::start(self.stdin.take(), self.stdout.take(), &self.results);
        let streams = streams.map_err(|error| GuestFault::Panic {
            text: format!("cannot use stdin or stdout: {error}"),
            stack: Stack::Unknown,
        })?;
        self.streams = Some(streams);
        outbox.ready(NO_DEADLINE);
        Ok(())
    }

    fn call(&mut self, frame: &Frame<'_>, outbox: &mut BuiltinOutbox) {
        let number = frame.header.number;
        let begun = match frame.header.method {
            stdio::Read::INDEX => decode::<stdio::Read>(frame).map(|request| {
                self.read(number, request);
            }),
            _ => decode::<stdio::Write>(frame).and_then(|request| self.write(number, request)),
        };
        if let Err(failure) = begun {
            fail(number, &failure, outbox);
        }
    }

    fn read(&mut self, number: u64, request: ReadRequest) {
        let bytes_max = match request.bytes_max as usize {
            0 => STDIN_READ_BYTES_DEFAULT,
            bytes => bytes.min(STDIN_READ_BYTES_MAX),
        };
        self.reads.push_back(PendingRead { number, bytes_max });
    }

    /// Passes bytes to the thread.
    fn write(&mut self, number: u64, request: WriteRequest) -> Result<(), Failure> {
        let bytes = request.data.len();
        if self.write_bytes + bytes > MAILBOX_BYTES_MAX {
            return Err(Failure::stdout_full(self.write_bytes));
        }
        self.write_bytes += bytes;
        self.writes.push_back(PendingWrite { number, bytes });
        self.streams().write(request.data);
        Ok(())
    }

    /// Cancels a call that waits for input. A call that writes is not cancelled: part of its bytes
    /// may be written, and its caller may rely on the rest.
    fn cancel(&mut self, number: u64, outbox: &mut BuiltinOutbox) {
        if let Some(at) = self.reads.iter().position(|read| read.number == number) {
            self.reads.remove(at);
            fail(number, &Failure::cancelled(), outbox);
        }
    }

    fn take_result(&mut self, result: StreamResult, outbox: &mut BuiltinOutbox) {
        match result {
            StreamResult::Read(result) => {
                self.is_reading = false;
                match (result, self.reads.front()) {
                    (Ok(bytes), Some(_)) if bytes.is_empty() => self.finish_read(bytes, outbox),
                    (Ok(bytes), _) => self.unread = bytes,
                    (Err(error), Some(_)) => {
                        let failure = Failure::of_stream("cannot read stdin", &error);
                        let read = self.reads.pop_front().expect("a call must wait");
                        fail(read.number, &failure, outbox);
                    }
                    // The next call meets the error again.
                    (Err(_), None) => {}
                }
            }
            StreamResult::Written(result) => {
                let write = self.writes.pop_front().expect("a call must wait");
                self.write_bytes -= write.bytes;
                finish_write(write.number, result, outbox);
            }
        }
    }

    /// Answers calls with the input that is there, and reads more for the next call.
    fn serve_reads(&mut self, outbox: &mut BuiltinOutbox) {
        while let Some(read) = self.reads.front()
            && !self.unread.is_empty()
        {
            let length = self.unread.len().min(read.bytes_max);
            let rest = self.unread.split_off(length);
            let bytes = std::mem::replace(&mut self.unread, rest);
            self.finish_read(bytes, outbox);
        }
        if let Some(read) = self.reads.front()
            && !self.is_reading
        {
            self.streams().read(read.bytes_max);
            self.is_reading = true;
        }
    }

    /// Answers the first call that waits for input.
    fn finish_read(&mut self, data: Vec<u8>, outbox: &mut BuiltinOutbox) {
        let read = self.reads.pop_front().expect("a call must wait");
        let response = ReadResponse { data }.encode_to_vec();
        outbox.send(reply(read.number), &response);
    }

    fn streams(&self) -> &Streams {
        self.streams
            .as_ref()
            .expect("calls must arrive after the launch")
    }
}

fn decode<M: Method>(frame: &Frame<'_>) -> Result<M::Request, Failure> {
    M::Request::decode(frame.payload).map_err(|error| Failure::undecodable(&error))
}

/// Answers a call whose bytes were written, at least in part.
fn finish_write(number: u64, result: io::Result<()>, outbox: &mut BuiltinOutbox) {
    match result {
        Ok(()) => outbox.send(reply(number), &[]),
        Err(error) if is_closed(&error) => {
            let closed = Header {
                flags: flags::SERVICE_ERROR,
                status: StdioErr::Closed as u32,
                ..reply(number)
            };
            outbox.send(closed, &[]);
        }
        Err(error) => {
            let failure = Failure::of_stream("cannot write stdout", &error);
            fail(number, &failure, outbox);
        }
    }
}

/// Returns true if the reader of a pipe or the peer of a socket is gone.
fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

fn reply(number: u64) -> Header {
    Header {
        number,
        ..Header::new(Kind::Reply)
    }
}

fn fail(number: u64, failure: &Failure, outbox: &mut BuiltinOutbox) {
    let (status, detail) = failure.to_parts();
    let header = Header {
        status,
        ..reply(number)
    };
    outbox.build(header, |frame| frame.detail_bytes(&detail));
}

impl BuiltIn for StdioService {
    fn manifest(&self) -> Manifest {
        Manifest {
            exports: vec![stdio::SERVICE.describe()],
            requires: Vec::new(),
            descriptors: stdio::SERVICE.descriptors.bytes().to_vec(),
        }
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        _now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        match frame.kind() {
            Some(Kind::Launched) => self.launch(outbox)?,
            Some(Kind::Call) => self.call(frame, outbox),
            Some(Kind::Cancel) => self.cancel(frame.header.number, outbox),
            Some(Kind::Stop) => self.is_stopping = true,
            _ => {}
        }
        Ok(())
    }

    fn end_turn(&mut self, _now_ns: u64, outbox: &mut BuiltinOutbox) -> Result<u64, GuestFault> {
        for result in self.results.take() {
            self.take_result(result, outbox);
        }
        self.serve_reads(outbox);
        // Programs stop before this guest, so no call follows. Callers of the remaining calls have
        // ended, and calls that write are carried out all the same.
        if self.is_stopping && self.writes.is_empty() {
            outbox.exit();
        }
        Ok(NEVER)
    }
}
