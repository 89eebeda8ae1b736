//! Words for the traps of the engine, with the cause in the guest's source and the next step.
//!
//! In a Rust guest, several functions of std end in a plain trap, because a guest has no operating
//! system: `std::process::exit`, `std::process::abort`, and an overflow of either stack. Nothing
//! here runs before a guest has trapped.

use wasmtime::{Trap, WasmBacktrace};

use crate::limits::{GUEST_STACK_BYTES, Size};

/// End of the names of `std::process::exit` and `std::process::abort`, which both of Rust's
/// manglings contain.
const EXIT: &str = "3std7process4exit";
const ABORT: &str = "3std7process5abort";

/// Bytes below the stack pointer that a function without calls may use, by LLVM's ABI for wasm,
/// before it moves the stack pointer.
const RED_ZONE_BYTES: i32 = 128;

/// Returns the reason of a trap in a guest of another language than Go.
///
/// `stack_pointer` is the pointer to the stack in the guest's memory. The stack is at the start of
/// the memory, so an overflow makes the pointer negative and is an access out of bounds.
pub(crate) fn reason(error: &wasmtime::Error, stack_pointer: Option<i32>) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::MemoryOutOfBounds) if stack_pointer.is_some_and(|at| at < RED_ZONE_BYTES) => {
            "stack overflow: calls or local values need more than the stack in the guest's memory, \
             1 MiB in Rust; recurse less deeply, or move large values to the heap"
                .into()
        }
        Some(Trap::UnreachableCodeReached) if calls(error, EXIT) => {
            "called `std::process::exit`, which only traps in a guest; return from `main`, or \
             await `cx.exit(code)`"
                .into()
        }
        Some(Trap::UnreachableCodeReached) if calls(error, ABORT) => {
            "called `std::process::abort`; panic with a message instead, or await `cx.exit(code)`"
                .into()
        }
        // An optimised build has `abort` inlined, and a stripped one has no names.
        Some(Trap::UnreachableCodeReached) => format!(
            "{}, as by `std::process::abort`; panic with a message instead, or await \
             `cx.exit(code)`",
            of_engine(error)
        ),
        _ => of_engine(error),
    }
}

/// Returns the reason of a trap as the engine states it.
pub(crate) fn of_engine(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => format!(
            "stack overflow: call depth exceeds the stack of {}",
            Size(GUEST_STACK_BYTES)
        ),
        _ => error.root_cause().to_string(),
    }
}

/// Returns true if the guest trapped within a function whose mangled name contains `function`.
fn calls(error: &wasmtime::Error, function: &str) -> bool {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    let mut frames = backtrace.into_iter().flat_map(WasmBacktrace::frames);
    frames.any(|frame| {
        frame
            .func_name()
            .is_some_and(|name| name.contains(function))
    })
}
