//! Custom sections of a wasm module, read without an instance and without the engine.

use parigot_abi::manifest::DESCRIPTORS_SECTION;

/// Size of the magic number and the version at the start of a module, in bytes.
const PREAMBLE_BYTES: usize = 8;

/// Id of a custom section.
const CUSTOM: u8 = 0;

/// Returns the contents of all sections [`DESCRIPTORS_SECTION`] of a module, concatenated: two
/// `FileDescriptorSet`s are merged by concatenation.
///
/// The walk ends at the first section that is cut off. The engine then rejects the module anyway.
pub(crate) fn descriptors(module: &[u8]) -> Vec<u8> {
    let mut found = Vec::new();
    let mut rest = module.get(PREAMBLE_BYTES..).unwrap_or_default();
    while let Some((id, content)) = take_section(&mut rest) {
        let mut content = content;
        if id == CUSTOM && take_counted(&mut content) == Some(DESCRIPTORS_SECTION.as_bytes()) {
            found.extend_from_slice(content);
        }
    }
    found
}

/// Removes the first section: its id and its content.
fn take_section<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (id, behind) = rest.split_first()?;
    *rest = behind;
    Some((*id, take_counted(rest)?))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a module with custom sections of these names and contents.
    fn module(sections: &[(&str, &[u8])]) -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        for (name, content) in sections {
            let bytes = 1 + name.len() + content.len();
            // Two bytes of LEB128 hold up to 14 bits.
            module.extend([CUSTOM, bytes as u8 & 0x7f | 0x80, (bytes >> 7) as u8]);
            module.push(name.len() as u8);
            module.extend_from_slice(name.as_bytes());
            module.extend_from_slice(content);
        }
        module
    }

    #[test]
    fn sections_of_descriptors_are_concatenated() {
        let long = [7; 300];
        let module = module(&[
            ("name", b"other"),
            (DESCRIPTORS_SECTION, b"one"),
            (DESCRIPTORS_SECTION, &long),
        ]);
        assert_eq!(descriptors(&module), [b"one".as_slice(), &long].concat());
    }

    #[test]
    fn a_module_that_is_cut_off_is_read_as_far_as_it_goes() {
        let module = module(&[(DESCRIPTORS_SECTION, b"one"), (DESCRIPTORS_SECTION, b"two")]);
        for end in 0..module.len() {
            assert!(b"one".starts_with(&descriptors(&module[..end])[..]));
        }
        assert_eq!(
            descriptors(b"\0asm\x01\0\0\0\0\xff\xff\xff\xff\xff\xff"),
            b""
        );
    }
}
