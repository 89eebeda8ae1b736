//! Detection of modules that Go's linker has written.

use crate::guest::sections::custom_sections;

/// Returns true for a library written by Go's linker. Such a module has the custom section
/// `go:buildid`, or names Go as its language in the section `producers`.
pub(crate) fn is_go(module: &[u8]) -> bool {
    const LANGUAGE_GO: &[u8] = b"\x08language\x01\x02Go";
    custom_sections(module).any(|(name, content)| match name {
        "go:buildid" => true,
        // The number of fields comes first.
        "producers" => module[content]
            .get(1..)
            .is_some_and(|fields| fields.starts_with(LANGUAGE_GO)),
        _ => false,
    })
}
