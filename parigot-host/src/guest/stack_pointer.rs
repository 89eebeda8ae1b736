//! Access to the stack pointer of a guest, for the explanation of a fault.
//!
//! LLVM's linker puts the stack of a module at the start of the memory, and the stack pointer into
//! the first global. The global is not exported, and the engine shows exported globals only.
//! However, the linker exports the constant `__heap_base`, which the host does not need. The engine
//! receives a copy of the module in which this export leads to the stack pointer. Only one byte
//! differs from the file, so all offsets in the module stay the same. The code is not affected.

/// Export that leads to the stack pointer in a module after [`expose`]. In other modules, the
/// export is a constant or missing.
pub(crate) const STACK_POINTER_EXPORT: &str = "__heap_base";

/// Size of the magic number and the version at the start of a module, in bytes.
const PREAMBLE_BYTES: usize = 8;
/// Id of the section with the globals.
const GLOBALS: u8 = 6;
/// Id of the section with the exports.
const EXPORTS: u8 = 7;
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
    let mut reader = Reader {
        bytes: module,
        at: PREAMBLE_BYTES,
    };
    let mut has_pointer = false;
    loop {
        let section = reader.byte()?;
        let bytes = reader.u32()? as usize;
        let end = reader.at.checked_add(bytes)?;
        match section {
            GLOBALS => {
                reader.u32()?;
                has_pointer = module[reader.at..].starts_with(&MUTABLE_I32);
            }
            EXPORTS if has_pointer => return reader.export(),
            _ => {}
        }
        reader.at = end;
    }
}

/// Reads a module from a position on.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// Reads a `u32` in LEB128: seven bits a byte, the lowest first.
    fn u32(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Returns the position of the index in the entry of the export. An index of several bytes does
    /// not count: the linker gives the constant one of the first indices.
    fn export(&mut self) -> Option<usize> {
        for _ in 0..self.u32()? {
            let bytes = self.u32()? as usize;
            let name = self.bytes.get(self.at..)?.get(..bytes)?;
            self.at += bytes;
            let kind = self.byte()?;
            let index = self.at;
            self.u32()?;
            if name == STACK_POINTER_EXPORT.as_bytes() {
                let is_short = self.at == index + 1;
                return (kind == GLOBAL && is_short).then_some(index);
            }
        }
        None
    }
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
