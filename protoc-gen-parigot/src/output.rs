//! The files that a run writes.

/// Version of this plugin, as printed in the header of generated files.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Name, relative to the output folder.
    pub name: String,
    /// Text.
    pub content: String,
}
