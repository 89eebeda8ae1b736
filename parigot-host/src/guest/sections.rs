//! Sections of a wasm module, read without an instance and without the engine.

use std::ops::Range;

/// Size of the magic number and the version at the start of a module, in bytes.
const PREAMBLE_BYTES: usize = 8;

/// Id of a custom section.
const CUSTOM: u8 = 0;
/// Id of the section with the imports.
pub(crate) const IMPORTS: u8 = 2;
/// Id of the section with the globals.
pub(crate) const GLOBALS: u8 = 6;
/// Id of the section with the exports.
pub(crate) const EXPORTS: u8 = 7;
/// Id of the section with the code of the functions.
pub(crate) const CODE: u8 = 10;
/// Id of the section with the initial contents of the memory.
pub(crate) const DATA: u8 = 11;

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
            let name = take_name(&mut content)?;
            Some((name, range.end - content.len()..range.end))
        })
}

/// Returns a copy of a module without the custom sections of some names.
pub(crate) fn without_custom_sections(module: &[u8], is_removed: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut kept = Vec::new();
    // End of the last section, and thus start of the next one.
    let mut end = 0;
    for (id, range) in sections(module) {
        let mut content = &module[range.clone()];
        if id != CUSTOM || !take_name(&mut content).is_some_and(&is_removed) {
            kept.extend_from_slice(&module[end..range.end]);
        } else if end == 0 {
            kept.extend_from_slice(&module[..PREAMBLE_BYTES]);
        }
        end = range.end;
    }
    kept.extend_from_slice(&module[end..]);
    kept
}

/// Returns the content of the first section with this id, as a range of the module.
pub(crate) fn section(module: &[u8], id: u8) -> Option<Range<usize>> {
    let mut all = sections(module);
    all.find_map(|(found, range)| (found == id).then_some(range))
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

/// Removes the name of a custom section.
fn take_name<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    str::from_utf8(take_counted(rest)?).ok()
}

/// Removes a LEB128 count and that many bytes.
pub(crate) fn take_counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let count = take_u32(rest)?;
    let (bytes, behind) = rest.split_at_checked(count as usize)?;
    *rest = behind;
    Some(bytes)
}

/// Removes a `u32` in LEB128: seven bits a byte, the lowest first.
pub(crate) fn take_u32(rest: &mut &[u8]) -> Option<u32> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn module(text: &str) -> Vec<u8> {
        wat::parse_str(format!("(module {text})")).expect("the text must be a valid module")
    }

    #[test]
    fn custom_sections_are_removed_by_name() {
        let before = "(@custom \".debug_line\" (before first) \"123\")";
        let kept = "(func (export \"f\")) (@custom \"kept\" \"4\")";
        let behind = "(@custom \".debug_info\" \"567\")";
        let stripped =
            |text: &str| without_custom_sections(&module(text), |name| name.starts_with(".debug_"));
        for text in [
            kept.to_owned(),
            format!("{before} {kept}"),
            format!("{kept} {behind}"),
            format!("{before} {kept} {behind}"),
        ] {
            assert_eq!(stripped(&text), module(kept), "{text}");
        }
    }
}
