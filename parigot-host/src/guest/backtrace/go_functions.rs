//! Files and lines of the functions of a module that Go's linker has written.
//!
//! Go writes no DWARF sections for wasm. However, Go's runtime has a table of its own for the
//! stacks that it prints, the *pclntab*, which lies in the data of the module. In wasm the runtime
//! knows the line of a function at the points at which a goroutine can resume, and a trap happens
//! between them. Therefore a function has the line of its beginning here.
//!
//! ```text
//! header: magic, 2 zero bytes, quantum, bytes of a word │ numbers and offsets of the tables
//! table of functions: (entry of the function, offset of its record) …, ordered
//! record: entry, name, args, deferreturn, pcsp, pcfile, pcln, npcdata, cu, line of the beginning
//! ```
//!
//! The layout is that of `runtime/symtab.go` in Go 1.20 to 1.26; a table with another magic number
//! is not read.

use crate::guest::sections::{DATA, IMPORTS, section, take_counted, take_u32};
use crate::limits::MODULE_BYTES_MAX;

/// Begin of the table: magic number of Go 1.20 and later, padding, quantum and word of wasm.
const MAGIC: [u8; 8] = [0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8];

/// Entry of the first function behind the imports.
const FIRST_ENTRY: u32 = 0x1000;

/// Words of the header behind [`MAGIC`].
const FUNCTIONS: usize = 0;
const CU_TABLE: usize = 4;
const FILE_TABLE: usize = 5;
const PC_TABLE: usize = 6;
const FUNCTION_TABLE: usize = 7;

/// Offsets in the record of a function.
const PC_FILE: usize = 20;
const CU: usize = 32;
const START_LINE: usize = 36;

/// Largest size of a module's data. Unlike the data of other modules, that of Go has no holes.
const DATA_BYTES_MAX: usize = MODULE_BYTES_MAX as usize;

/// Functions of a module, with the file and the line at which each begins.
pub(super) struct GoFunctions {
    /// Memory of the module before it runs, from the table on.
    table: Vec<u8>,
    /// Number of imported functions, which come before those of the table.
    imports: u32,
}

impl GoFunctions {
    /// Returns the functions of a module; `None` if it has no table that this host knows.
    pub(super) fn of(module: &[u8]) -> Option<Self> {
        let mut memory = memory_of(module)?;
        let (words, _) = memory.as_chunks();
        let table = words.iter().position(|word| *word == MAGIC)? * MAGIC.len();
        memory.drain(..table);
        memory.shrink_to_fit();
        let mut imports = &module[section(module, IMPORTS)?];
        Some(GoFunctions {
            table: memory,
            // Go's linker imports functions only.
            imports: take_u32(&mut imports)?,
        })
    }

    /// Returns the file of a function, and the line at which it begins.
    pub(super) fn place(&self, function: u32) -> Option<(String, u32)> {
        let record = self.record(FIRST_ENTRY.checked_add(function.checked_sub(self.imports)?)?)?;
        let cu = self.u32(record + CU)?;
        let files = self.word(PC_TABLE)? + self.u32(record + PC_FILE)? as usize;
        let file = cu.checked_add_signed(self.first_value(files)?)?;
        let file = self.u32(self.word(CU_TABLE)? + 4 * file as usize)?;
        let name = self.table.get(self.word(FILE_TABLE)? + file as usize..)?;
        let end = name.iter().position(|byte| *byte == 0)?;
        let name = str::from_utf8(&name[..end]).ok()?;
        Some((name.to_owned(), self.u32(record + START_LINE)?))
    }

    /// Returns the offset of the record of the function with this entry.
    fn record(&self, entry: u32) -> Option<usize> {
        let functions = self.word(FUNCTION_TABLE)?;
        let count = self.word(FUNCTIONS)?;
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low.midpoint(high);
            if self.u32(functions + 8 * middle)? < entry {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let found = functions + 8 * low;
        let is_found = low < count && self.u32(found)? == entry;
        if !is_found {
            return None;
        }
        Some(functions + self.u32(found + 4)? as usize)
    }

    /// Returns the first value of a table by program counter: it begins at -1, and each entry adds
    /// a number in zigzag form.
    fn first_value(&self, at: usize) -> Option<i32> {
        let mut bytes = self.table.get(at..)?;
        let delta = take_u32(&mut bytes)?;
        Some(((delta >> 1) as i32 ^ -((delta & 1) as i32)).wrapping_sub(1))
    }

    /// Returns a word of the header: a number of records, or the offset of a part of the table.
    fn word(&self, index: usize) -> Option<usize> {
        let at = MAGIC.len() + 8 * index;
        let bytes = self.table.get(at..)?.first_chunk()?;
        let word = usize::try_from(u64::from_le_bytes(*bytes)).ok()?;
        (word <= self.table.len()).then_some(word)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let bytes = self.table.get(at..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }
}

/// Returns the memory of a module before it runs, up to the end of its data.
fn memory_of(module: &[u8]) -> Option<Vec<u8>> {
    let mut memory = Vec::new();
    let mut rest = &module[section(module, DATA)?];
    for _ in 0..take_u32(&mut rest)? {
        let [0, 0x41, behind @ ..] = rest else {
            // Go's linker writes active segments only, each with a constant address.
            return None;
        };
        rest = behind;
        let address = take_address(&mut rest)?;
        let (0x0b, behind) = rest.split_first()? else {
            return None;
        };
        rest = behind;
        let content = take_counted(&mut rest)?;
        let end = address.checked_add(content.len())?;
        if end > DATA_BYTES_MAX {
            return None;
        }
        if end > memory.len() {
            memory.resize(end, 0);
        }
        memory[address..end].copy_from_slice(content);
    }
    Some(memory)
}

/// Removes an `i32` in signed LEB128 that is an address.
fn take_address(rest: &mut &[u8]) -> Option<usize> {
    // The last byte of a positive number that would look negative is followed by a zero byte, so
    // that the unsigned form has the same value.
    let address = take_u32(rest)?;
    i32::try_from(address).ok()?.try_into().ok()
}
