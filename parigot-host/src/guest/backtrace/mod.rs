//! Backtraces of wasm guests in the terms of their source.
//!
//! The engine reports the functions and offsets of a trap in the wasm module. The module's own
//! sections turn them into functions, files and lines: `name`, and the DWARF sections of LLVM,
//! whose addresses count from the start of the code section ([DWARF for WebAssembly]). Go's linker
//! writes no DWARF, so guests in Go have the names of functions only.
//!
//! Nothing here runs before a guest has failed. The first fault of a module reads its file again
//! and parses the DWARF sections; the result is kept as long as the module.
//!
//! [DWARF for WebAssembly]: https://yurydelendik.github.io/webassembly-dwarf/

mod frame;
mod symbols;

use wasmtime::WasmBacktrace;

pub(crate) use self::symbols::{ModuleDigest, Symbols};

use self::frame::SourceFrame;

/// Returns the backtrace of an error of the engine, the innermost function first, one line for each
/// function. Empty if the engine has seen no function of the guest.
///
/// ```text
/// greeting::greet at /src/greeting/src/lib.rs:26:9
/// <greeting::Greeter as stubs::Greeting>::fetch_greeting at /src/greeting/src/lib.rs:17:24
/// ```
///
/// A last line in parentheses says why files and lines are missing, and what to do.
pub(crate) fn text(error: &wasmtime::Error, symbols: &Symbols) -> String {
    let frames = error
        .downcast_ref::<WasmBacktrace>()
        .map_or(&[][..], WasmBacktrace::frames);
    if frames.is_empty() {
        return String::new();
    }
    let lines = symbols.lines();
    let mut source = Vec::new();
    for frame in frames {
        let name = frame.func_name().map(frame::demangled);
        let name = name.unwrap_or_else(|| format!("function {}", frame.func_index()));
        let found = match (&lines, frame.module_offset()) {
            (Ok(lines), Some(offset)) => lines.at(offset, &name),
            _ => Vec::new(),
        };
        if found.is_empty() {
            source.push(SourceFrame::without_line(name));
        } else {
            source.extend(found);
        }
    }
    let mut text = frame::listed(&source);
    if let Err(reason) = lines {
        text.push_str(&format!("\n({reason})"));
    }
    text
}
