//! WASI shim for Go's runtime, without access to the outside world.
//!
//! A guest compiled by Go (`GOOS=wasip1 -buildmode=c-shared`) uses the ABI like any other guest,
//! but its runtime imports functions of `wasi_snapshot_preview1`. A module written by Go's linker
//! ([`go_module::is_go`]) may import the functions that Go's standard library declares
//! ([`imports::IMPORTS`]); other modules may not. The imports below have an effect, all others
//! return an error:
//!
//! | import | effect |
//! |---|---|
//! | `args_*`, `environ_*` | arguments and environment of the deployment |
//! | `clock_time_get` | the time of the turn, which stands still during it |
//! | `random_get` | bytes of a generator that the host has seeded |
//! | `fd_write` | descriptors 1 and 2: lines for the log; [`LOG_FD`]: a log frame each |
//! | `fd_read`, `fd_fdstat_get` | the two descriptors below |
//! | `poll_oneoff` | shows that the runtime is idle, see below |
//! | `sched_yield` | nothing |
//! | `proc_exit` | ends the guest, with [`imports::ProcExit`] |
//!
//! No import blocks. The work of a call is bounded by the guest memory that its arguments name, so
//! a guest cannot hold the thread inside an import.
//!
//! # End of a turn
//!
//! Only Go's scheduler knows the runnable goroutines and the timers. A goroutine of the guest
//! therefore waits until no other goroutine can run: it reads descriptor [`IDLE_FD`], which returns
//! `EAGAIN`, so the goroutine parks in the runtime's network poller. The scheduler runs all other
//! goroutines until they wait too. Then the scheduler calls `poll_oneoff` with that descriptor and,
//! if there are timers, with a clock subscription that ends when the first timer is due. That
//! duration determines the time of the guest's next turn ([`Wasi::end_turn`]). The descriptor is
//! reported as readable, one read of the descriptor succeeds, and the parked goroutine lets
//! `parigot_turn` return. A poll with a timeout of zero only looks for ready events, and gets no
//! event.
//!
//! A guest may end a turn without the poll, which is much cheaper, if the guest knows otherwise
//! that no goroutine can run. The first timer then stays the one known before. This is valid if no
//! timer was set, which would read the clock, and no timer is due. The field `timers_moved` of the
//! control block reports both conditions.
//!
//! A goroutine that reads [`PARKED_FD`] is never woken. While one does, the scheduler has a
//! descriptor to poll and does not report a deadlock by itself. A poll that would block without
//! [`IDLE_FD`] among its subscriptions can never end, because time stands still. After
//! 1000 such polls in a row the guest is stopped with [`Blocked`](crate::error::Blocked).
//!
//! Both descriptors are open from the start and nonblocking, so `os.NewFile(3, "idle")` is all that
//! a guest needs.

use parigot_abi::control::{NEVER, OUTBOX_COMMITTED_OFFSET, TIMERS_MOVED_OFFSET};
use parigot_abi::frame::Level;
use parigot_abi::{
    Frames, GO_IDLE_FD as IDLE_FD, GO_LOG_FD as LOG_FD, GO_PARKED_FD as PARKED_FD, Kind,
};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use wasmtime::Memory;

use self::memory::{Errno, GuestMemory, u64_at};
use self::output::{Output, Stream};
use self::report::Report;
use crate::guest::code::InstanceConfig;
use crate::limits::REASON_BYTES_MAX;
use crate::log::guest_log::GuestLine;

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzed;
pub(crate) mod go_module;
pub(crate) mod imports;
mod memory;
pub(crate) mod output;
mod poll;
pub(crate) mod report;

#[cfg(test)]
mod tests;

const STDOUT_FD: u32 = 1;
const STDERR_FD: u32 = 2;

/// Largest write in bytes; a longer write is cut, as the interface allows.
const WRITE_BYTES_MAX: usize = 64 << 10;
/// Buffers per write; further buffers are left for the guest's next write.
const BUFFERS_MAX: u32 = 1024;
/// Largest request for random bytes; a longer request is rejected.
const RANDOM_BYTES_MAX: u32 = 16 << 20;
/// Offset of the monotonic clock in nanoseconds: Go's runtime treats a time of 0 as unset, and the
/// ABI's clock begins at 0.
const MONOTONIC_OFFSET_NS: u64 = 1;

/// Line in the log when a guest accepts a connection.
const REFUSED_ACCEPT: &str =
    "refused to accept a connection: a guest has no network; export a service instead";

/// State of one guest's imports.
pub(crate) struct Wasi {
    /// Arguments, each with a trailing NUL.
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    rng: StdRng,
    monotonic_ns: u64,
    wall_ns: u64,
    wake_at_ns: u64,
    /// Address of `timers_moved` in the guest's control block, once known.
    timers_moved: Option<u32>,
    /// Lets the next read of [`IDLE_FD`] succeed.
    idle_is_readable: bool,
    blocked_polls: u32,
    output: Output,
    /// Bytes of the outbox in this turn, at the last write to stderr.
    outbox_at_stderr: usize,
    has_refused_accept: bool,
    /// Memory of the guest, once looked up.
    memory: Option<Memory>,
}

impl Wasi {
    /// Creates the state of an instance at the time of its first turn. The first argument is the
    /// guest's own name, as programs expect.
    ///
    /// Go's runtime receives the memory limit in `GOMEMLIMIT`. Without the limit, Go would collect
    /// garbage only once the heap has doubled, which may be beyond the limit.
    pub(crate) fn of(config: &InstanceConfig<'_>) -> Self {
        let mut args = vec![config.name.to_owned()];
        args.extend_from_slice(config.args);
        let mut env = config.env.clone();
        env.entry("GOMEMLIMIT".into())
            .or_insert_with(|| (config.memory_bytes_max / 10 * 9).to_string());
        let mut wasi = Wasi::new(args, env.into_iter().collect(), config.seed);
        wasi.begin_turn(0, config.wall_ns);
        wasi
    }

    /// Creates the state at time 0. Programs expect their own name as the first of `args`.
    pub(crate) fn new(args: Vec<String>, env: Vec<(String, String)>, seed: [u8; 32]) -> Self {
        let with_nul = |text: String| [text.into_bytes(), vec![0]].concat();
        Wasi {
            args: args.into_iter().map(with_nul).collect(),
            env: env
                .into_iter()
                .map(|(key, value)| with_nul(format!("{key}={value}")))
                .collect(),
            rng: StdRng::from_seed(seed),
            monotonic_ns: 0,
            wall_ns: 0,
            wake_at_ns: NEVER,
            timers_moved: None,
            idle_is_readable: false,
            blocked_polls: 0,
            output: Output::default(),
            outbox_at_stderr: 0,
            has_refused_accept: false,
            memory: None,
        }
    }

    /// Sets the time of a turn; needed also before `_initialize`, which reads the time too.
    pub(crate) fn begin_turn(&mut self, monotonic_ns: u64, wall_ns: u64) {
        self.monotonic_ns = monotonic_ns;
        self.wall_ns = wall_ns;
        self.idle_is_readable = false;
        self.blocked_polls = 0;
        self.outbox_at_stderr = 0;
    }

    /// Sets `timers_moved` in the memory if a timer is due, and from now on at each read of the
    /// clock.
    pub(crate) fn show_timers(&mut self, memory: &mut [u8], control: u32) {
        let at = GuestMemory::behind(control, TIMERS_MOVED_OFFSET);
        let is_due = self.wake_at_ns <= self.monotonic_ns;
        self.timers_moved = GuestMemory(memory)
            .write_u32(at, is_due.into())
            .is_ok()
            .then_some(at);
    }

    /// Returns the time of the guest's first timer on its monotonic clock, or [`NEVER`].
    ///
    /// A turn that ended without a wait for [`IDLE_FD`] leaves the answer unchanged.
    pub(crate) fn end_turn(&mut self) -> u64 {
        self.wake_at_ns
    }

    /// Adds a line to the log, once, for a call that accepts a connection.
    fn note_refused_accept(&mut self) {
        if !std::mem::replace(&mut self.has_refused_accept, true) {
            self.output.write_line(Level::Error, REFUSED_ACCEPT);
        }
    }

    /// Takes the text that the runtime wrote in this turn about a panic or a fatal error; for a
    /// guest that has ended.
    pub(crate) fn take_report(&mut self) -> Option<Report> {
        self.output.take_report()
    }

    /// Returns the last line that the guest has logged in this turn: in the outbox, on stderr or,
    /// before its manifest, in a log frame. Empty if there is none.
    pub(crate) fn last_line(&mut self, outbox: &[u8]) -> String {
        let newer = outbox.get(self.outbox_at_stderr..).unwrap_or_default();
        let frame = Frames::new(newer)
            .flatten()
            .filter(|frame| frame.kind() == Some(Kind::Log))
            .last();
        let line = match frame {
            Some(frame) => String::from_utf8_lossy(frame.payload).into_owned(),
            None => self.output.last_line().unwrap_or_default().to_owned(),
        };
        line[..line.floor_char_boundary(REASON_BYTES_MAX)].to_owned()
    }

    /// Passes the finished lines of the guest to `sink`, in order.
    pub(crate) fn take_lines(&mut self, sink: &mut dyn FnMut(&GuestLine<'_>)) {
        self.output.take_lines(sink);
    }

    /// Works like [`Wasi::take_lines`], but includes unfinished lines; for a guest that has ended.
    pub(crate) fn take_rest(&mut self, sink: &mut dyn FnMut(&GuestLine<'_>)) {
        self.output.end_lines();
        self.output.take_lines(sink);
    }
}

/// Imports that have an effect; `poll_oneoff` is in `poll.rs`.
impl Wasi {
    fn args_get(
        &mut self,
        mut memory: GuestMemory<'_>,
        pointers: u32,
        buffer: u32,
    ) -> Result<(), Errno> {
        memory.write_strings(&self.args, pointers, buffer)
    }

    fn args_sizes_get(
        &mut self,
        mut memory: GuestMemory<'_>,
        count: u32,
        bytes: u32,
    ) -> Result<(), Errno> {
        memory.write_sizes(&self.args, count, bytes)
    }

    fn clock_time_get(
        &mut self,
        mut memory: GuestMemory<'_>,
        clock: u32,
        time: u32,
    ) -> Result<(), Errno> {
        let ns = match clock {
            0 => self.wall_ns,
            1 => self.monotonic_ns.saturating_add(MONOTONIC_OFFSET_NS),
            _ => return Err(Errno::Inval),
        };
        // A timer can only be set by code that reads the clock first.
        if let Some(at) = self.timers_moved {
            memory.write_u32(at, 1)?;
        }
        memory.write(time, &ns.to_le_bytes())
    }

    fn environ_get(
        &mut self,
        mut memory: GuestMemory<'_>,
        pointers: u32,
        buffer: u32,
    ) -> Result<(), Errno> {
        memory.write_strings(&self.env, pointers, buffer)
    }

    fn environ_sizes_get(
        &mut self,
        mut memory: GuestMemory<'_>,
        count: u32,
        bytes: u32,
    ) -> Result<(), Errno> {
        memory.write_sizes(&self.env, count, bytes)
    }

    /// Writes a record of 24 bytes: file type (0, unknown), flags as a `u16` at 2, rights as a
    /// `u64` at 8.
    fn fd_fdstat_get(
        &mut self,
        mut memory: GuestMemory<'_>,
        fd: u32,
        stat: u32,
    ) -> Result<(), Errno> {
        const NONBLOCK: u8 = 4;
        const RIGHT_READ: u8 = 1 << 1;
        const RIGHT_WRITE: u8 = 1 << 6;
        let (flags, rights) = match fd {
            STDOUT_FD | STDERR_FD | LOG_FD => (0, RIGHT_WRITE),
            IDLE_FD | PARKED_FD => (NONBLOCK, RIGHT_READ),
            _ => return Err(Errno::Badf),
        };
        let mut record = [0; 24];
        record[2] = flags;
        record[8] = rights;
        memory.write(stat, &record)
    }

    fn fd_read(
        &mut self,
        mut memory: GuestMemory<'_>,
        fd: u32,
        buffers: u32,
        count: u32,
        read: u32,
    ) -> Result<(), Errno> {
        match fd {
            // One read succeeds after the poll, so that exactly one turn ends.
            IDLE_FD if self.idle_is_readable && count > 0 => {
                let (buffer, bytes) = memory.buffer(buffers, 0)?;
                memory.bytes_mut(buffer, bytes.min(1))?.fill(0);
                memory.write_u32(read, bytes.min(1) as u32)?;
                self.idle_is_readable = false;
                Ok(())
            }
            IDLE_FD | PARKED_FD => Err(Errno::Again),
            _ => Err(Errno::Badf),
        }
    }

    fn fd_write(
        &mut self,
        mut memory: GuestMemory<'_>,
        fd: u32,
        buffers: u32,
        count: u32,
        written: u32,
    ) -> Result<(), Errno> {
        let stream = match fd {
            STDOUT_FD => Stream::Out,
            STDERR_FD => Stream::Err,
            LOG_FD => return self.write_log_frame(memory, buffers, count, written),
            _ => return Err(Errno::Badf),
        };
        if stream == Stream::Err {
            self.outbox_at_stderr = self.outbox_bytes(&memory);
        }
        let mut total = 0;
        for index in 0..count.min(BUFFERS_MAX) {
            let (buffer, bytes) = memory.buffer(buffers, index)?;
            let buffer = memory.bytes(buffer, bytes)?;
            let taken = &buffer[..bytes.min(WRITE_BYTES_MAX - total)];
            self.output.write(stream, taken);
            total += taken.len();
        }
        memory.write_u32(written, total as u32)
    }

    /// Writes a log frame, which is the content of one buffer.
    fn write_log_frame(
        &mut self,
        mut memory: GuestMemory<'_>,
        buffers: u32,
        count: u32,
        written: u32,
    ) -> Result<(), Errno> {
        let (frame, bytes) = memory.buffer(buffers, 0)?;
        if count != 1 || bytes > WRITE_BYTES_MAX {
            return Err(Errno::Inval);
        }
        if !self.output.write_log_frame(memory.bytes(frame, bytes)?) {
            return Err(Errno::Inval);
        }
        memory.write_u32(written, bytes as u32)
    }

    /// Returns the number of bytes that the guest has sent in this turn.
    fn outbox_bytes(&self, memory: &GuestMemory<'_>) -> usize {
        let Some(timers_moved) = self.timers_moved else {
            return 0;
        };
        let control = timers_moved as usize - TIMERS_MOVED_OFFSET;
        let committed = memory.bytes((control + OUTBOX_COMMITTED_OFFSET) as u32, 8);
        committed.map_or(0, |bytes| u64_at(bytes, 0) as usize)
    }

    fn random_get(
        &mut self,
        mut memory: GuestMemory<'_>,
        buffer: u32,
        bytes: u32,
    ) -> Result<(), Errno> {
        if bytes > RANDOM_BYTES_MAX {
            return Err(Errno::Inval);
        }
        self.rng
            .fill_bytes(memory.bytes_mut(buffer, bytes as usize)?);
        Ok(())
    }
}
