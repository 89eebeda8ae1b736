//! Sections of a wasm module, read without an instance and without the engine.

use std::ops::Range;

/// Size of the magic number and the version at the start of a module, in bytes.
const PREAMBLE_BYTES: usize = 8;

/// Id of a custom section.
const CUSTOM: u8 = 0;
/// Id of the section with the code of the functions.
const CODE: u8 = 10;

/// Returns the contents of the custom sections of a module, with their names, as ranges of the
/// module.
///
/// The walk ends at the first section that is cut off, which the engine rejects. A section whose
/// name is not UTF-8 is skipped.
pub(crate) fn custom_sections(module: &[u8]) -> impl Iterator<Item = (&str, Range<usize>)> {
    sections(module)
        .filter(|(id, _)| *id == CUSTOM)
        .filter_map(|(_, range)| {
            let mut content = &module[range.clone()];
            let name = str::from_utf8(take_counted(&mut content)?).ok()?;
            Some((name, range.end - content.len()..range.end))
        })
}

/// Returns the content of the code section, as a range of the module.
pub(crate) fn code_section(module: &[u8]) -> Option<Range<usize>> {
    let mut all = sections(module);
    all.find_map(|(id, range)| (id == CODE).then_some(range))
}

/// Returns the ids and contents of all sections.
fn sections(module: &[u8]) -> impl Iterator<Item = (u8, Range<usize>)> {
    let mut rest = module.get(PREAMBLE_BYTES..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (id, behind) = rest.split_first()?;
        rest = behind;
        let content = take_counted(&mut rest)?;
        let end = module.len() - rest.len();
        Some((*id, end - content.len()..end))
    })
}

/// Removes a LEB128 count and that many bytes.
fn take_counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let count = take_u32(rest)?;
    let (bytes, behind) = rest.split_at_checked(count as usize)?;
    *rest = behind;
    Some(bytes)
}

/// Removes a `u32` in LEB128: seven bits a byte, the lowest first.
fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, behind) = rest.split_first()?;
        *rest = behind;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
