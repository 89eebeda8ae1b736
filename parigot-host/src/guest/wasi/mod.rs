//! WASI shim for Go's runtime, without access to the outside world.
//!
//! A guest compiled by Go (`GOOS=wasip1 -buildmode=c-shared`) uses the ABI like any other guest,
//! but its runtime imports functions of `wasi_snapshot_preview1`. A module written by Go's linker
//! ([`is_go`]) may import the functions that Go's standard library declares ([`IMPORTS`]); other
//! modules may not. The imports below have an effect, all others return an error:
//!
//! | import | effect |
//! |---|---|
//! | `args_*`, `environ_*` | arguments and environment of the deployment |
//! | `clock_time_get` | the time of the turn, which stands still during it |
//! | `random_get` | bytes of a generator that the host has seeded |
//! | `fd_write` | descriptors 1 and 2: lines for the log |
//! | `fd_read`, `fd_fdstat_get` | the two descriptors below |
//! | `poll_oneoff` | shows that the runtime is idle, see below |
//! | `sched_yield` | nothing |
//! | `proc_exit` | ends the guest, with [`ProcExit`] |
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
//! [`BLOCKED_POLLS_MAX`] such polls in a row the guest is stopped with [`Blocked`].
//!
//! Both descriptors are open from the start and nonblocking, so `os.NewFile(3, "idle")` is all that
//! a guest needs.

use parigot_abi::control::{NEVER, TIMERS_MOVED_OFFSET};
use parigot_abi::{GO_IDLE_FD as IDLE_FD, GO_PARKED_FD as PARKED_FD};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use wasmtime::{Caller, Extern, FuncType, Linker, Memory, Val, ValType};

use crate::error::Blocked;
use crate::guest::code::InstanceConfig;
use crate::limits::STDIO_LINE_BYTES_MAX;

#[cfg(test)]
mod tests;

/// Module from which a Go guest imports.
pub(crate) const MODULE: &str = "wasi_snapshot_preview1";

const STDOUT_FD: u32 = 1;
const STDERR_FD: u32 = 2;

/// Output kept for [`Wasi::take_lines`], in bytes; output beyond is counted and dropped.
const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// Largest write in bytes; a longer write is cut, as the interface allows.
const WRITE_BYTES_MAX: usize = 64 << 10;
/// Largest request for random bytes; a longer request is rejected.
const RANDOM_BYTES_MAX: u32 = 16 << 20;
/// Buffers per write and subscriptions per poll. More buffers are left for the next write; more
/// subscriptions are rejected.
const LIST_ITEMS_MAX: u32 = 1024;
/// Consecutive polls that may try to block while nothing can wake the guest.
const BLOCKED_POLLS_MAX: u32 = 1000;
/// Offset of the monotonic clock in nanoseconds: Go's runtime treats a time of 0 as unset, and the
/// ABI's clock begins at 0.
const MONOTONIC_OFFSET_NS: u64 = 1;

/// Imports that have an effect.
const SERVED: [&str; 12] = [
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_fdstat_get",
    "fd_read",
    "fd_write",
    "poll_oneoff",
    "proc_exit",
    "random_get",
    "sched_yield",
];

/// Imports that only return an error: name, parameters (`i` is an `i32`, `I` an `i64`), error.
const REFUSED: [(&str, &str, Errno); 24] = [
    ("fd_close", "i", Errno::Badf),
    ("fd_fdstat_set_flags", "ii", Errno::Notsup),
    ("fd_fdstat_set_rights", "iII", Errno::Notsup),
    ("fd_filestat_get", "ii", Errno::Badf),
    ("fd_filestat_set_size", "iI", Errno::Badf),
    ("fd_pread", "iiiIi", Errno::Spipe),
    // Go looks for preopened directories until the first error, so an error ends the search.
    ("fd_prestat_dir_name", "iii", Errno::Badf),
    ("fd_prestat_get", "ii", Errno::Badf),
    ("fd_pwrite", "iiiIi", Errno::Spipe),
    ("fd_readdir", "iiiIi", Errno::Badf),
    ("fd_seek", "iIii", Errno::Spipe),
    ("fd_sync", "i", Errno::Badf),
    ("path_create_directory", "iii", Errno::Acces),
    ("path_filestat_get", "iiiii", Errno::Acces),
    ("path_filestat_set_times", "iiiiIIi", Errno::Acces),
    ("path_link", "iiiiiii", Errno::Acces),
    ("path_open", "iiiiiIIii", Errno::Acces),
    ("path_readlink", "iiiiii", Errno::Acces),
    ("path_remove_directory", "iii", Errno::Acces),
    ("path_rename", "iiiiii", Errno::Acces),
    ("path_symlink", "iiiii", Errno::Acces),
    ("path_unlink_file", "iii", Errno::Acces),
    ("sock_accept", "iii", Errno::Badf),
    ("sock_shutdown", "ii", Errno::Badf),
];

/// All imports of [`MODULE`] that a Go guest may use.
pub(crate) const IMPORTS: [&str; SERVED.len() + REFUSED.len()] = {
    let mut names = [""; SERVED.len() + REFUSED.len()];
    let mut k = 0;
    while k < names.len() {
        names[k] = if k < SERVED.len() {
            SERVED[k]
        } else {
            REFUSED[k - SERVED.len()].0
        };
        k += 1;
    }
    names
};

/// Returns true for a library written by Go's linker, whose custom sections name the language or
/// the build.
pub(crate) fn is_go(module: &[u8]) -> bool {
    const LANGUAGE_GO: &[u8] = b"\x08language\x01\x02Go";
    sections(module).any(|(name, content)| match name {
        b"go:buildid" => true,
        // The number of fields comes first.
        b"producers" => content
            .get(1..)
            .is_some_and(|fields| fields.starts_with(LANGUAGE_GO)),
        _ => false,
    })
}

/// Returns the custom sections of a module with their names, up to the first malformed byte.
fn sections(module: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    const HEADER_BYTES: usize = 8;
    const CUSTOM: u8 = 0;
    let mut rest = module.get(HEADER_BYTES..).unwrap_or_default();
    let all = std::iter::from_fn(move || {
        let (kind, sized) = rest.split_first()?;
        let (section, after) = split_sized(sized)?;
        rest = after;
        Some((*kind, section))
    });
    all.filter(|(kind, _)| *kind == CUSTOM)
        .filter_map(|(_, section)| split_sized(section))
}

/// Splits off a block of bytes that is prefixed with its length in LEB128.
fn split_sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    const GROUPS_MAX: usize = 5;
    let end = bytes
        .iter()
        .take(GROUPS_MAX)
        .position(|byte| byte & 0x80 == 0)?;
    let size = bytes[..=end]
        .iter()
        .rev()
        .fold(0_u64, |size, byte| size << 7 | u64::from(byte & 0x7f));
    bytes[end + 1..].split_at_checked(usize::try_from(size).ok()?)
}

/// Exit of the guest by `os.Exit`. A panic takes another path: Go's runtime writes the text to
/// descriptor 2 and traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("exit status {status}")]
pub(crate) struct ProcExit {
    /// Exit status; larger values become 255.
    pub(crate) status: u8,
}

/// Output stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

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
            memory: None,
        }
    }

    /// Sets the time of a turn; needed also before `_initialize`, which reads the time too.
    pub(crate) fn begin_turn(&mut self, monotonic_ns: u64, wall_ns: u64) {
        self.monotonic_ns = monotonic_ns;
        self.wall_ns = wall_ns;
        self.idle_is_readable = false;
        self.blocked_polls = 0;
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

    /// Returns the text that the runtime wrote in this turn about a panic or a fatal error.
    pub(crate) fn panic_text(&self) -> Option<String> {
        let errors = self
            .output
            .lines
            .iter()
            .rev()
            .filter(|(stream, _)| *stream == Stream::Err);
        errors
            .map(|(_, line)| line)
            .find_map(|line| match line.strip_prefix("panic: ") {
                Some(message) => Some(format!("panicked: {message}")),
                None => line
                    .strip_prefix("fatal error: ")
                    .map(|message| format!("failed: {message}")),
            })
    }

    /// Passes the finished lines of the guest to `sink`, in order.
    pub(crate) fn take_lines(&mut self, sink: impl FnMut(Stream, &str)) {
        self.output.take_lines(sink);
    }

    /// Works like [`Wasi::take_lines`], but includes unfinished lines; for a guest that has ended.
    pub(crate) fn take_rest(&mut self, sink: impl FnMut(Stream, &str)) {
        self.output.end_lines();
        self.output.take_lines(sink);
    }
}

/// Adds [`IMPORTS`] to a linker; `wasi` returns the WASI state from the store's data.
pub(crate) fn link<T: 'static>(
    linker: &mut Linker<T>,
    wasi: fn(&mut T) -> &mut Wasi,
) -> wasmtime::Result<()> {
    /// Defines an import whose parameters are all `u32` and whose result is an errno.
    macro_rules! serve {
        ($method:ident($($parameter:ident),*)) => {
            linker.func_wrap(MODULE, stringify!($method), move |mut caller: Caller<'_, T>, $($parameter: u32),*| {
                let (wasi, memory) = split(&mut caller, wasi)?;
                wasmtime::Result::Ok(errno(wasi.$method(memory, $($parameter),*)))
            })?;
        };
    }
    serve!(args_get(pointers, buffer));
    serve!(args_sizes_get(count, bytes));
    serve!(environ_get(pointers, buffer));
    serve!(environ_sizes_get(count, bytes));
    serve!(fd_fdstat_get(fd, stat));
    serve!(fd_read(fd, buffers, count, read));
    serve!(fd_write(fd, buffers, count, written));
    serve!(random_get(buffer, bytes));
    linker.func_wrap(
        MODULE,
        "clock_time_get",
        move |mut caller: Caller<'_, T>, clock: u32, _precision: u64, time: u32| {
            let (wasi, memory) = split(&mut caller, wasi)?;
            wasmtime::Result::Ok(errno(wasi.clock_time_get(memory, clock, time)))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "poll_oneoff",
        move |mut caller: Caller<'_, T>,
              subscriptions: u32,
              events: u32,
              count: u32,
              written: u32| {
            let (wasi, memory) = split(&mut caller, wasi)?;
            wasmtime::Result::Ok(errno(wasi.poll_oneoff(
                memory,
                subscriptions,
                events,
                count,
                written,
            )?))
        },
    )?;
    linker.func_wrap(MODULE, "sched_yield", || errno(Ok(())))?;
    linker.func_wrap(MODULE, "proc_exit", |status: u32| -> wasmtime::Result<()> {
        Err(ProcExit {
            status: u8::try_from(status).unwrap_or(u8::MAX),
        }
        .into())
    })?;
    for (name, parameters, refusal) in REFUSED {
        let parameters = parameters
            .chars()
            .map(|c| if c == 'I' { ValType::I64 } else { ValType::I32 });
        let of_type = FuncType::new(linker.engine(), parameters, [ValType::I32]);
        linker.func_new(MODULE, name, of_type, move |_, _, results| {
            results[0] = Val::I32(errno(Err(refusal)) as i32);
            Ok(())
        })?;
    }
    Ok(())
}

/// Returns the guest's WASI state and memory.
fn split<'a, T: 'static>(
    caller: &'a mut Caller<'_, T>,
    wasi: fn(&mut T) -> &mut Wasi,
) -> wasmtime::Result<(&'a mut Wasi, GuestMemory<'a>)> {
    let memory = match wasi(caller.data_mut()).memory {
        Some(memory) => memory,
        None => {
            let memory = caller.get_export("memory").and_then(Extern::into_memory);
            let memory = memory.ok_or_else(|| wasmtime::Error::msg("exports no memory"))?;
            *wasi(caller.data_mut()).memory.insert(memory)
        }
    };
    let (bytes, data) = memory.data_and_store_mut(caller);
    Ok((wasi(data), GuestMemory(bytes)))
}

/// Error numbers of `wasi_snapshot_preview1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
enum Errno {
    Acces = 2,
    Again = 6,
    Badf = 8,
    Fault = 21,
    Inval = 28,
    Notsup = 58,
    Spipe = 70,
}

fn errno(result: Result<(), Errno>) -> u32 {
    result.map_or_else(|errno| errno as u32, |()| 0)
}

/// Guest's memory. Every address comes from the guest and is checked here.
struct GuestMemory<'a>(&'a mut [u8]);

impl GuestMemory<'_> {
    fn bytes(&self, address: u32, bytes: usize) -> Result<&[u8], Errno> {
        self.0
            .get(address as usize..)
            .and_then(|rest| rest.get(..bytes))
            .ok_or(Errno::Fault)
    }

    fn bytes_mut(&mut self, address: u32, bytes: usize) -> Result<&mut [u8], Errno> {
        self.0
            .get_mut(address as usize..)
            .and_then(|rest| rest.get_mut(..bytes))
            .ok_or(Errno::Fault)
    }

    fn array<const N: usize>(&self, address: u32) -> Result<[u8; N], Errno> {
        Ok(*self
            .bytes(address, N)?
            .first_chunk()
            .expect("that many bytes"))
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Errno> {
        self.bytes_mut(address, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    fn write_u32(&mut self, address: u32, number: u32) -> Result<(), Errno> {
        self.write(address, &number.to_le_bytes())
    }

    /// Returns the address `bytes` behind `address`; on overflow the largest address, where nothing
    /// fits.
    fn behind(address: u32, bytes: usize) -> u32 {
        u32::try_from(bytes)
            .ok()
            .and_then(|bytes| address.checked_add(bytes))
            .unwrap_or(u32::MAX)
    }

    /// Returns one `(address, length)` pair of a list of buffers.
    fn buffer(&self, list: u32, index: u32) -> Result<(u32, usize), Errno> {
        let entry: [u8; 8] = self.array(Self::behind(list, index as usize * 8))?;
        Ok((u32_at(&entry, 0), u32_at(&entry, 4) as usize))
    }

    /// Writes strings one after the other at `buffer`, and the address of each at `pointers`.
    fn write_strings(
        &mut self,
        strings: &[Vec<u8>],
        pointers: u32,
        buffer: u32,
    ) -> Result<(), Errno> {
        let mut at = buffer;
        for (k, string) in strings.iter().enumerate() {
            self.write_u32(Self::behind(pointers, k * 4), at)?;
            self.write(at, string)?;
            at = Self::behind(at, string.len());
        }
        Ok(())
    }

    fn write_sizes(&mut self, strings: &[Vec<u8>], count: u32, bytes: u32) -> Result<(), Errno> {
        self.write_u32(count, strings.len() as u32)?;
        self.write_u32(bytes, strings.iter().map(Vec::len).sum::<usize>() as u32)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("the record is longer"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("the record is longer"))
}

/// Imports that have an effect, in the order of [`SERVED`].
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
            STDOUT_FD | STDERR_FD => (0, RIGHT_WRITE),
            IDLE_FD | PARKED_FD => (NONBLOCK, RIGHT_READ),
            _ => return Err(Errno::Badf),
        };
        let mut record = [0; 24];
        (record[2], record[8]) = (flags, rights);
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
            _ => return Err(Errno::Badf),
        };
        let mut total = 0;
        for index in 0..count.min(LIST_ITEMS_MAX) {
            let (buffer, bytes) = memory.buffer(buffers, index)?;
            let taken = &memory.bytes(buffer, bytes)?[..bytes.min(WRITE_BYTES_MAX - total)];
            self.output.write(stream, taken);
            total += taken.len();
        }
        memory.write_u32(written, total as u32)
    }

    fn poll_oneoff(
        &mut self,
        mut memory: GuestMemory<'_>,
        subscriptions: u32,
        events: u32,
        count: u32,
        written: u32,
    ) -> Result<Result<(), Errno>, Blocked> {
        let wanted = match Wanted::read(&memory, subscriptions, count) {
            Ok(wanted) => wanted,
            Err(errno) => return Ok(Err(errno)),
        };
        let due = self.due(wanted)?;
        let mut write_all = || {
            for (k, event) in due.iter().enumerate() {
                memory.write(
                    GuestMemory::behind(events, k * Event::BYTES),
                    &event.to_bytes(),
                )?;
            }
            memory.write_u32(written, due.len() as u32)
        };
        Ok(write_all())
    }

    /// Returns the events that answer a poll.
    fn due(&mut self, wanted: Wanted) -> Result<Vec<Event>, Blocked> {
        if !wanted.refused.is_empty() {
            return Ok(wanted.refused);
        }
        if wanted.timeout_ns == Some(0) {
            return Ok(Vec::new());
        }
        let Some(idle) = wanted.idle else {
            // Go's runtime also passes very short times in a poll for a clock alone, and expects no
            // event in this case either.
            self.blocked_polls += 1;
            return if self.blocked_polls > BLOCKED_POLLS_MAX {
                Err(Blocked)
            } else {
                Ok(Vec::new())
            };
        };
        self.blocked_polls = 0;
        self.wake_at_ns = wanted
            .timeout_ns
            .map_or(NEVER, |timeout| self.monotonic_ns.saturating_add(timeout));
        self.idle_is_readable = true;
        Ok(vec![idle])
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

/// Subscriptions of a poll.
#[derive(Default)]
struct Wanted {
    /// Shortest timeout of the clocks, from now.
    timeout_ns: Option<u64>,
    /// Answer for [`IDLE_FD`], if subscribed.
    idle: Option<Event>,
    /// Answers for subscriptions that can never become ready.
    refused: Vec<Event>,
}

impl Wanted {
    /// Reads subscriptions. Each is a record of 48 bytes: the caller's mark as a `u64` at 0, the
    /// kind as a byte at 8. A clock has its number as a `u32` at 16, the time as a `u64` at 24 and
    /// flags as a `u16` at 40. Other kinds have the descriptor as a `u32` at 16.
    fn read(memory: &GuestMemory<'_>, subscriptions: u32, count: u32) -> Result<Self, Errno> {
        const BYTES: usize = 48;
        const ABSOLUTE: u8 = 1;
        if count == 0 || count > LIST_ITEMS_MAX {
            return Err(Errno::Inval);
        }
        let mut wanted = Wanted::default();
        for record in memory
            .bytes(subscriptions, count as usize * BYTES)?
            .chunks_exact(BYTES)
        {
            let (mark, kind, fd) = (u64_at(record, 0), record[8], u32_at(record, 16));
            match (kind, fd) {
                (Event::CLOCK, _) if record[40] & ABSOLUTE != 0 => return Err(Errno::Notsup),
                (Event::CLOCK, _) => {
                    let timeout_ns = u64_at(record, 24);
                    wanted.timeout_ns = Some(
                        wanted
                            .timeout_ns
                            .map_or(timeout_ns, |least| least.min(timeout_ns)),
                    );
                }
                (Event::READ, IDLE_FD) => {
                    wanted.idle = Some(Event {
                        mark,
                        errno: 0,
                        kind,
                        bytes: 1,
                    })
                }
                (Event::READ, PARKED_FD) => {}
                (Event::READ | Event::WRITE, _) => {
                    wanted.refused.push(Event {
                        mark,
                        errno: Errno::Badf as u16,
                        kind,
                        bytes: 0,
                    });
                }
                _ => return Err(Errno::Inval),
            }
        }
        Ok(wanted)
    }
}

/// Event that answers one subscription of a poll.
struct Event {
    /// Mark of the caller, copied from the subscription.
    mark: u64,
    /// Error number; 0 if the wait is over.
    errno: u16,
    kind: u8,
    /// Number of readable bytes.
    bytes: u64,
}

impl Event {
    const BYTES: usize = 32;

    const CLOCK: u8 = 0;
    const READ: u8 = 1;
    const WRITE: u8 = 2;

    fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut record = [0; Self::BYTES];
        record[..8].copy_from_slice(&self.mark.to_le_bytes());
        record[8..10].copy_from_slice(&self.errno.to_le_bytes());
        record[10] = self.kind;
        record[16..24].copy_from_slice(&self.bytes.to_le_bytes());
        record
    }
}

/// Output of a guest, split into lines.
#[derive(Default)]
struct Output {
    /// Unfinished line of each stream.
    unfinished: [Vec<u8>; 2],
    lines: Vec<(Stream, String)>,
    /// Bytes used by `lines`.
    lines_bytes: usize,
    dropped_bytes: usize,
}

impl Output {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n");
            let unfinished = &mut self.unfinished[stream as usize];
            unfinished.extend_from_slice(text.unwrap_or(part));
            while self.unfinished[stream as usize].len() > STDIO_LINE_BYTES_MAX {
                self.cut_line(stream);
            }
            if text.is_some() {
                self.end_line(stream);
            }
        }
    }

    /// Turns the beginning of an unfinished line into a line, without a cut inside a UTF-8
    /// character.
    fn cut_line(&mut self, stream: Stream) {
        let line = &mut self.unfinished[stream as usize];
        let starts_character = |at: &usize| line[*at] & 0b1100_0000 != 0b1000_0000;
        let end = (STDIO_LINE_BYTES_MAX - 3..=STDIO_LINE_BYTES_MAX)
            .rev()
            .find(starts_character)
            .unwrap_or(STDIO_LINE_BYTES_MAX);
        let rest = line.split_off(end);
        self.end_line(stream);
        self.unfinished[stream as usize] = rest;
    }

    /// Turns the unfinished line into a line.
    fn end_line(&mut self, stream: Stream) {
        let line = std::mem::take(&mut self.unfinished[stream as usize]);
        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
        let bytes = text.len() + size_of::<(Stream, String)>();
        if self.lines_bytes + bytes > OUTPUT_BYTES_MAX {
            self.dropped_bytes += text.len() + 1;
        } else {
            self.lines_bytes += bytes;
            self.lines.push((stream, text));
        }
    }

    fn end_lines(&mut self) {
        for stream in [Stream::Out, Stream::Err] {
            if !self.unfinished[stream as usize].is_empty() {
                self.end_line(stream);
            }
        }
    }

    fn take_lines(&mut self, mut sink: impl FnMut(Stream, &str)) {
        self.lines_bytes = 0;
        for (stream, line) in self.lines.drain(..) {
            sink(stream, &line);
        }
        let dropped_bytes = std::mem::take(&mut self.dropped_bytes);
        if dropped_bytes > 0 {
            sink(
                Stream::Err,
                &format!("wrote too much at once: {dropped_bytes} bytes of output were dropped"),
            );
        }
    }
}
