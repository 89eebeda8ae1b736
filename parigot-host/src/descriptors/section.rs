//! Descriptors in a wasm module, read without an instance and without the engine.

use parigot_abi::manifest::DESCRIPTORS_SECTION;

use crate::guest::sections::custom_sections;

/// Returns the contents of all sections [`DESCRIPTORS_SECTION`] of a module, concatenated: two
/// `FileDescriptorSet`s are merged by concatenation.
pub(crate) fn descriptors(module: &[u8]) -> Vec<u8> {
    custom_sections(module)
        .filter(|(name, _)| *name == DESCRIPTORS_SECTION)
        .flat_map(|(_, range)| &module[range])
        .copied()
        .collect()
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
            module.extend([0, bytes as u8 & 0x7f | 0x80, (bytes >> 7) as u8]);
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
