//! Limits of guests and calls, with the defaults that a deployment can change.
//!
//! | limit | constant | beyond it |
//! |---|---|---|
//! | CPU time between awaits | [`BUDGET_DEFAULT`], up to [`BUDGET_MAX`] | the guest is killed |
//! | CPU time of Go's garbage collector in a turn | [`MARKING_PER_MIB`] | counts for the budget |
//! | memory of an instance | [`MEMORY_BYTES_DEFAULT`] | allocation fails |
//! | entries of the function table | [`TABLE_ENTRIES_MAX`] | start refused, or growth fails |
//! | stack on the thread | [`GUEST_STACK_BYTES`] | the guest traps |
//! | a message with its metadata | `parigot_abi::MESSAGE_BYTES_MAX` | the call fails |
//! | depth of nested messages | prost: 100, and the Go SDK alike | the call fails |
//! | detail of a failure | `parigot_abi::status::DETAIL_BYTES_MAX` | the end is cut off |
//! | calls in flight, each direction | [`CALLS_MAX`] | the call fails |
//! | bytes waiting in a mailbox | [`MAILBOX_BYTES_MAX`] | the call fails |
//! | windows of the streams to an instance | [`WINDOWS_BYTES_MAX`] | the call fails |
//! | time of a call | [`DEADLINE_DEFAULT`] | the call fails |
//! | wait for the fate of a late call | [`FATE_WAIT`], [`REMOTE_FATE_WAIT`] | the fate is unknown |
//! | log of a guest per second | [`LOG_BYTES_DEFAULT`] | lines are dropped and counted |
//! | one log line | [`LOG_LINE_BYTES_MAX`] | the end is cut off |
//! | one read from stdin | [`STDIN_READ_BYTES_MAX`] | the read returns less |
//! | bytes waiting to be written to stdout | [`MAILBOX_BYTES_MAX`] | the call fails |
//! | calls waiting for a provider | [`PROVIDER_CALLS_MAX`] | the call fails |
//! | bytes of these calls | [`PROVIDER_CALL_BYTES_MAX`] | the call fails |
//! | one line of stdout or stderr (Go) | [`STDIO_LINE_BYTES_MAX`] | logged as several |
//! | text of a panic or an exit | [`REASON_BYTES_MAX`] | the end is cut off |
//! | file of a module | [`MODULE_BYTES_MAX`] | the start is refused |
//! | time to compile a module | [`COMPILE_TIME_MAX_DEFAULT`] | the start is refused |
//! | memory to compile a module | [`COMPILE_MEMORY_BYTES_MAX_DEFAULT`] | the start is refused |
//! | a secret | [`SECRET_BYTES_MAX`] | the start is refused |
//! | errors of a deployment file | [`ERRORS_MAX`] | further errors are not reported |
//! | a deployment file | [`DEPLOYMENT_BYTES_MAX`] | the file is refused |
//! | instances of a service | [`REPLICAS_MAX`] | the deployment file is refused |

use std::time::Duration;

/// Memory of a guest in bytes, unless the deployment sets `memory`: 64 MiB.
pub const MEMORY_BYTES_DEFAULT: u64 = 64 << 20;

/// Log volume of a guest in bytes per second, unless the deployment sets `log`: 1 MiB.
pub const LOG_BYTES_DEFAULT: u64 = 1 << 20;

/// CPU time between two awaits, unless the deployment or the method sets another budget.
pub const BUDGET_DEFAULT: Duration = Duration::from_millis(50);

/// Largest budget of a guest or a method.
pub const BUDGET_MAX: Duration = Duration::from_secs(60);

/// CPU time that a turn of a guest in Go may take to mark live objects, on top of its budget, for
/// each MiB of the guest's memory. Marking takes about 1 ms for each MiB of live objects.
pub(crate) const MARKING_PER_MIB: Duration = Duration::from_millis(4);

/// Returns the CPU time for marking in a guest with a memory of that size.
pub(crate) fn marking_time_max(memory_bytes: usize) -> Duration {
    MARKING_PER_MIB * (memory_bytes >> 20) as u32
}

/// Time of a call, unless the deployment, the method or the caller sets a deadline.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(3);

/// Longest wait after the deadline of a call for the callee's turn to end, which decides whether
/// the call has begun. Five times the default budget of a turn, for busy machines.
pub(crate) const FATE_WAIT: Duration = Duration::from_millis(250);

/// As [`FATE_WAIT`], for a callee in another process: that process waits itself, and its reply must
/// arrive.
pub(crate) const REMOTE_FATE_WAIT: Duration = Duration::from_millis(500);

/// Instances of a service.
pub const REPLICAS_MAX: u32 = 1_000;

/// Time to compile one module, unless the settings say otherwise.
///
/// 60 times the time that 8 MiB of Go take on two cores.
pub const COMPILE_TIME_MAX_DEFAULT: Duration = Duration::from_secs(120);

/// Memory of the process that compiles one module in bytes, unless the command sets another: 2 GiB.
pub const COMPILE_MEMORY_BYTES_MAX_DEFAULT: u64 = 2 << 30;

/// Size of a module's file in bytes: 128 MiB. The largest in use, from Go, have a few dozen MiB.
pub(crate) const MODULE_BYTES_MAX: u64 = 128 << 20;

/// Entries of a guest's function table. Large Go programs have about ten thousand.
pub(crate) const TABLE_ENTRIES_MAX: usize = 1 << 20;

/// Stack that a guest may use on its thread: 1 MiB, as much as Rust's linker gives it in its
/// memory.
pub(crate) const GUEST_STACK_BYTES: usize = 1 << 20;

/// Calls in flight of an instance, each direction.
pub(crate) const CALLS_MAX: usize = 16 << 10;

/// Bytes that may wait in a mailbox: 64 MiB. Beyond it calls are refused, and replies are replaced
/// by a status.
pub(crate) const MAILBOX_BYTES_MAX: usize = 64 << 20;

/// Windows of all streams that an instance receives, in bytes with the headers of items: 32 MiB,
/// half of [`MAILBOX_BYTES_MAX`]. Thus items within their windows leave room for calls and replies.
pub(crate) const WINDOWS_BYTES_MAX: u64 = 32 << 20;

/// Bytes of a guest's panic or exit text that are read, for the log and for each caller: 8 KiB.
pub(crate) const REASON_BYTES_MAX: usize = 8 << 10;

/// Bytes of one log line: 64 KiB. The rest of a longer line is cut off.
pub(crate) const LOG_LINE_BYTES_MAX: usize = 64 << 10;

/// Bytes of a secret in a file: 64 KiB, room for chains of certificates.
pub(crate) const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Errors of a deployment file that are reported at once.
pub(crate) const ERRORS_MAX: usize = 100;

/// Bytes of a deployment file: 4 MiB, room for ten thousand guests.
pub(crate) const DEPLOYMENT_BYTES_MAX: u64 = 4 << 20;

/// Bytes of one line written to stdout or stderr: 8 KiB. A longer line is logged as several.
pub(crate) const STDIO_LINE_BYTES_MAX: usize = 8 << 10;

/// Calls that may wait for a provider.
pub(crate) const PROVIDER_CALLS_MAX: usize = 1_024;

/// Bytes of the calls that may wait for a provider: 16 MiB.
pub(crate) const PROVIDER_CALL_BYTES_MAX: usize = 16 << 20;

/// Bytes that a program gets from stdin at once: 1 MiB.
pub(crate) const STDIN_READ_BYTES_MAX: usize = 1 << 20;

/// Bytes that a program gets from stdin at once, unless it asks for another number: 64 KiB.
pub(crate) const STDIN_READ_BYTES_DEFAULT: usize = 64 << 10;

/// Number of bytes, displayed in the largest unit that divides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) usize);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            bytes if bytes > 0 && bytes % (1 << 20) == 0 => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes > 0 && bytes % (1 << 10) == 0 => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}
