//! Backtraces of wasm guests in the terms of their source.
//!
//! The engine reports the functions and offsets of a trap in the wasm module. The module's own
//! sections turn them into functions, files and lines: `name`, and the DWARF sections of LLVM,
//! whose addresses count from the start of the code section ([DWARF for WebAssembly]). Go's linker
//! writes no DWARF; the table of its runtime has the place at which each function begins.
//!
//! Nothing here runs before a guest has failed and the calls that it served have failed. The first
//! fault of a module reads its file again and parses the DWARF sections; the result is kept as long
//! as the module.
//!
//! [DWARF for WebAssembly]: https://yurydelendik.github.io/webassembly-dwarf/

mod frame;
mod go_functions;
mod symbols;

use std::fmt;
use std::sync::Arc;

use wasmtime::WasmBacktrace;

pub(crate) use self::symbols::{ModuleDigest, Symbols};

use self::frame::SourceFrame;

/// Backtrace of a failed guest. Files and lines are looked up when the text is needed.
pub(crate) struct Backtrace {
    /// Error of the engine, which has the functions and offsets.
    error: wasmtime::Error,
    symbols: Arc<Symbols>,
}

impl Backtrace {
    /// Returns the backtrace of an error of the engine; `None` if the engine has seen no function
    /// of the guest.
    pub(crate) fn of(error: wasmtime::Error, symbols: &Arc<Symbols>) -> Option<Self> {
        let backtrace = error.downcast_ref::<WasmBacktrace>()?;
        if backtrace.frames().is_empty() {
            return None;
        }
        Some(Backtrace {
            error,
            symbols: Arc::clone(symbols),
        })
    }

    /// Returns whether [`text`](Backtrace::text) reads the module's file first, which takes up to
    /// some hundred milliseconds.
    pub(crate) fn is_slow(&self) -> bool {
        !self.symbols.are_read()
    }

    /// Returns the innermost function first, one line for each function.
    ///
    /// ```text
    /// greeting::greet at /src/greeting/src/lib.rs:26:9
    /// <greeting::Greeter as stubs::Greeting>::fetch_greeting at /src/greeting/src/lib.rs:17:24
    /// ```
    ///
    /// A last line in parentheses says why files and lines are missing or not exact.
    pub(crate) fn text(&self) -> String {
        let frames = self
            .error
            .downcast_ref::<WasmBacktrace>()
            .map_or(&[][..], WasmBacktrace::frames);
        let lines = self.symbols.lines();
        let mut source = Vec::new();
        for frame in frames {
            let name = frame.func_name().map(frame::demangled);
            let name = name.unwrap_or_else(|| format!("function {}", frame.func_index()));
            let found = lines.map_or_else(|_| Vec::new(), |lines| lines.at(frame, &name));
            if found.is_empty() {
                source.push(SourceFrame::without_line(name));
            } else {
                source.extend(found);
            }
        }
        let mut text = frame::listed(&source);
        let remark = match lines {
            Ok(lines) => lines.remark().map(str::to_owned),
            Err(reason) => Some(reason.to_string()),
        };
        remark
            .into_iter()
            .for_each(|remark| text.push_str(&format!("\n({remark})")));
        text
    }
}

/// Without files and lines, whose lookup is too slow for a debug format.
impl fmt::Debug for Backtrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backtrace").finish_non_exhaustive()
    }
}
