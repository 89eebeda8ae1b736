//! Access to the stack pointer of a guest, for the explanation of a fault.
//!
//! LLVM's linker puts the stack of a module at the start of the memory, and the stack pointer into
//! the first global. The global is not exported, and the engine shows exported globals only.
//! However, the linker exports the constant `__heap_base`, which the host does not need. The engine
//! receives a copy of the module in which this export leads to the stack pointer. Only one byte
//! differs from the file, so all offsets in the module stay the same. The code is not affected.

use crate::guest::sections::{EXPORTS, GLOBALS, section, take_counted, take_u32};

/// Export that leads to the stack pointer in a module after [`expose`]. In other modules, the
/// export is a constant or missing.
pub(crate) const STACK_POINTER_EXPORT: &str = "__heap_base";

/// Start of the first global if it can be a stack pointer: a variable of type `i32` whose initial
/// value is an `i32.const`.
const MUTABLE_I32: [u8; 3] = [0x7f, 0x01, 0x41];
/// Kind of an exported global.
const GLOBAL: u8 = 3;

/// Lets the export [`STACK_POINTER_EXPORT`] of a module lead to the stack pointer. Does nothing if
/// the module was not written by LLVM's linker, or is malformed, which the engine detects.
pub(crate) fn expose(module: &mut [u8]) {
    if let Some(index) = index_of_export(module) {
        module[index] = 0;
    }
}

/// Returns the position of the byte that contains the index of the exported global.
fn index_of_export(module: &[u8]) -> Option<usize> {
    let mut globals = &module[section(module, GLOBALS)?];
    take_u32(&mut globals)?;
    if !globals.starts_with(&MUTABLE_I32) {
        return None;
    }
    let exports = section(module, EXPORTS)?;
    let mut rest = &module[exports.clone()];
    for _ in 0..take_u32(&mut rest)? {
        let name = take_counted(&mut rest)?;
        let (kind, behind) = rest.split_first()?;
        rest = behind;
        take_u32(&mut rest)?;
        if name == STACK_POINTER_EXPORT.as_bytes() {
            // An index of several bytes does not count: the linker gives the constant one of the
            // first indices.
            let is_short = behind.len() - rest.len() == 1;
            return (*kind == GLOBAL && is_short).then_some(exports.end - behind.len());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wasm(globals: &str) -> Vec<u8> {
        wat::parse_str(format!("(module (memory (export \"memory\") 1) {globals})"))
            .expect("the text must be a valid module")
    }

    fn exposed(globals: &str) -> Vec<u8> {
        let mut module = wasm(globals);
        expose(&mut module);
        module
    }

    #[test]
    fn the_export_of_the_linker_leads_to_the_stack_pointer() {
        let globals = |index| {
            format!(
                "(global (mut i32) (i32.const 1048576)) (global i32 (i32.const 5)) \
                 (export \"__data_end\" (global 1)) (export \"__heap_base\" (global {index}))"
            )
        };
        assert_eq!(exposed(&globals(1)), wasm(&globals(0)));
    }

    #[test]
    fn modules_without_a_stack_pointer_stay_as_they_are() {
        for globals in [
            "",
            "(global (export \"__heap_base\") i32 (i32.const 5))",
            "(global (mut i64) (i64.const 5)) (global (export \"__heap_base\") i32 (i32.const 5))",
            "(global (mut i32) (i32.const 5)) (func (export \"__heap_base\"))",
        ] {
            assert_eq!(exposed(globals), wasm(globals), "{globals}");
        }
    }

    #[test]
    fn a_module_that_is_cut_off_stays_as_it_is() {
        let module = wasm(
            "(global (mut i32) (i32.const 5)) (global (export \"__heap_base\") i32 (i32.const 5))",
        );
        for end in 0..module.len() {
            expose(&mut module[..end].to_vec());
        }
    }
}
