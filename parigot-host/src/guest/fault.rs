//! Conversion of the engine's errors into faults, with the words of the guest and of Go's runtime.

use std::sync::Arc;

use crate::error::{GuestFault, MemoryLimit, OverBudget, Stack};
use crate::guest::backtrace::Symbols;
use crate::guest::memory_limiter::Limits;
use crate::guest::trap;
use crate::guest::wasi::Wasi;
use crate::guest::wasi::imports::ProcExit;

/// Error of a call into a guest, with all that is known about the guest's end.
pub(crate) struct EngineError<'a> {
    error: wasmtime::Error,
    /// Memory limit, if the guest has tried to exceed it.
    exceeded: Option<MemoryLimit>,
    /// Text in the guest's panic buffer, or empty.
    panic: String,
    /// Frames of the last turn.
    outbox: &'a [u8],
    is_go: bool,
    /// Pointer to the stack in the guest's memory, if known.
    stack_pointer: Option<i32>,
    symbols: &'a Arc<Symbols>,
}

impl<'a> EngineError<'a> {
    pub(crate) fn new(
        error: wasmtime::Error,
        limits: &Limits,
        is_go: bool,
        symbols: &'a Arc<Symbols>,
    ) -> Self {
        EngineError {
            error,
            exceeded: limits.exceeded(),
            panic: String::new(),
            outbox: &[],
            is_go,
            stack_pointer: None,
            symbols,
        }
    }

    pub(crate) fn with_panic(mut self, text: String) -> Self {
        self.panic = text;
        self
    }

    pub(crate) fn with_outbox(mut self, outbox: &'a [u8]) -> Self {
        self.outbox = outbox;
        self
    }

    pub(crate) fn with_stack_pointer(mut self, address: Option<i32>) -> Self {
        self.stack_pointer = address;
        self
    }

    /// Returns the fault. Takes the report of Go's runtime out of the output of `wasi`, so that the
    /// log has one record of it.
    pub(crate) fn into_fault(self, wasi: &mut Wasi) -> GuestFault {
        if let Some(exit) = self.error.downcast_ref::<ProcExit>() {
            let last_line = match wasi.last_line(self.outbox) {
                line if line.is_empty() || exit.status == 0 => String::new(),
                line => format!("last log line: {line}"),
            };
            return GuestFault::Exit {
                status: exit.status,
                last_line,
            };
        }
        let report = wasi.take_report();
        let reason = self.trap_reason();
        let exceeded = self.exceeded;
        let over_budget = self.error.downcast_ref::<OverBudget>().cloned();
        let stack = Stack::of(self.error, self.symbols);
        let fault = match (over_budget, report) {
            // The budget may end while Go's runtime writes the stacks of all goroutines. The cause
            // of the end is then the cause of that report.
            (_, Some(report)) if !report.stack.is_empty() => GuestFault::Panic {
                text: report.text,
                stack: Stack::Text(report.stack),
            },
            (Some(reason), _) => return GuestFault::OverBudget { reason, stack },
            (None, Some(report)) => GuestFault::of_trap(report.text, String::new(), stack),
            (None, None) => GuestFault::of_trap(self.panic, reason, stack),
        };
        match exceeded {
            Some(limit) => GuestFault::OutOfMemory {
                limit,
                last: Box::new(fault),
            },
            None => fault,
        }
    }

    fn trap_reason(&self) -> String {
        // After a failed allocation, the allocator of a language may abort the guest.
        if self.is_go || self.exceeded.is_some() {
            trap::of_engine(&self.error)
        } else {
            trap::reason(&self.error, self.stack_pointer)
        }
    }
}
