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
        // An optimised build has `abort` inlined.
        Some(Trap::UnreachableCodeReached) => {
            let callers = if has_names(error) {
                "`std::process::abort`"
            } else {
                "`std::process::abort` or `exit`"
            };
            format!(
                "{}, as by {callers}; panic with a message instead, or await `cx.exit(code)`",
                of_engine(error)
            )
        }
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
    names(error).any(|name| name.contains(function))
}

/// Returns false if the guest was built without the names of functions.
fn has_names(error: &wasmtime::Error) -> bool {
    names(error).next().is_some()
}

/// Returns the mangled names of the functions in which the guest trapped, the innermost first.
fn names(error: &wasmtime::Error) -> impl Iterator<Item = &str> {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    let frames = backtrace.into_iter().flat_map(WasmBacktrace::frames);
    frames.filter_map(|frame| frame.func_name())
}

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Instance, Module, Store};

    use super::*;

    /// Returns the reason of the trap in the function `main` of a module.
    fn reason_of(functions: &str, stack_pointer: Option<i32>) -> String {
        let engine = Engine::default();
        let wasm = wat::parse_str(format!("(module (memory 1) {functions})"))
            .expect("the text must be a valid module");
        let module = Module::from_binary(&engine, &wasm).expect("the module must compile");
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).expect("nothing runs yet");
        let main = instance
            .get_typed_func::<(), ()>(&mut store, "main")
            .expect("the module must export `main`");
        let error = main.call(&mut store, ()).expect_err("the module must trap");
        reason(&error, stack_pointer)
    }

    #[test]
    fn exit_and_abort_are_named_by_both_manglings() {
        for (function, named) in [
            (
                "_RNvNtCsebHcaeoSrxy_3std7process4exit",
                "called `std::process::exit`",
            ),
            (
                "_ZN3std7process4exit17h0123456789abcdefE",
                "called `std::process::exit`",
            ),
            (
                "_RNvNtCsebHcaeoSrxy_3std7process5abort",
                "called `std::process::abort`",
            ),
            (
                "_ZN3std7process5abort17h0123456789abcdefE",
                "called `std::process::abort`",
            ),
            (
                "main",
                "wasm trap: wasm `unreachable` instruction executed, as by `std::process::abort`;",
            ),
        ] {
            let functions = format!(
                "(func ${function} unreachable) (func (export \"main\") (call ${function}))"
            );
            let reason = reason_of(&functions, None);
            assert!(reason.starts_with(named), "{reason}");
        }
    }

    #[test]
    fn a_stripped_guest_may_have_called_exit_or_abort() {
        let reason = reason_of("(func unreachable) (func (export \"main\") (call 0))", None);
        assert!(
            reason.contains("as by `std::process::abort` or `exit`;"),
            "{reason}"
        );
    }

    #[test]
    fn only_an_access_below_the_stack_is_a_stack_overflow() {
        let access = "(func (export \"main\") (drop (i32.load (i32.const -4))))";
        for (stack_pointer, is_overflow) in [
            (Some(-32), true),
            // A function without calls has not moved the pointer.
            (Some(127), true),
            (Some(128), false),
            (None, false),
        ] {
            let reason = reason_of(access, stack_pointer);
            let found = reason.starts_with("stack overflow: calls or local values");
            assert_eq!(found, is_overflow, "{stack_pointer:?}: {reason}");
        }
        let trap = reason_of("(func (export \"main\") unreachable)", Some(-32));
        assert!(trap.contains("`unreachable`"), "{trap}");
    }
}
