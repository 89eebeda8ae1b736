//! Detection of modules that Go's linker has written.

/// Returns true for a library written by Go's linker. Such a module has the custom section
/// `go:buildid`, or names Go as its language in the section `producers`.
pub(crate) fn is_go(module: &[u8]) -> bool {
    const LANGUAGE_GO: &[u8] = b"\x08language\x01\x02Go";
    sections(module).any(|(name, content)| match name {
        b"go:buildid" => true,
        // The number of fields comes first.
        b"producers" => content
            .get(1..)
            .is_some_and(|fields| fields.starts_with(LANGUAGE_GO)),
        _ => false,
    })
}

/// Returns the custom sections of a module with their names, up to the first malformed byte.
fn sections(module: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    /// Magic number and version.
    const HEADER_BYTES: usize = 8;
    /// Kind of a custom section.
    const CUSTOM: u8 = 0;
    let mut rest = module.get(HEADER_BYTES..).unwrap_or_default();
    let sections = std::iter::from_fn(move || {
        let (kind, sized) = rest.split_first()?;
        let (section, after) = split_sized(sized)?;
        rest = after;
        Some((*kind, section))
    });
    sections
        .filter(|(kind, _)| *kind == CUSTOM)
        .filter_map(|(_, section)| split_sized(section))
}

/// Splits off a block of bytes that is prefixed with its length in LEB128.
fn split_sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    /// A length in LEB128 is a `u32`, in groups of 7 bits.
    const GROUPS_MAX: usize = 5;
    let end = bytes
        .iter()
        .take(GROUPS_MAX)
        .position(|byte| byte & 0x80 == 0)?;
    let size = bytes[..=end]
        .iter()
        .rev()
        .fold(0_u64, |size, byte| size << 7 | u64::from(byte & 0x7f));
    bytes[end + 1..].split_at_checked(usize::try_from(size).ok()?)
}
