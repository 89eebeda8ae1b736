//! The options of `lang=rust`.

use std::collections::BTreeMap;

use crate::error::Error;

/// The options of `lang=rust`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RustOptions {
    /// Origin of the messages.
    pub messages: MessageSource,
    /// Write `mod.rs`.
    pub mod_file: bool,
    /// Generate also the files whose types the named files use.
    pub include_imports: bool,
    /// Treatment of a package and a message whose modules have one path.
    pub module_clash: ModuleClash,
    /// Rust path by protobuf path, for example `::parigot_guest::prost_types` for
    /// `.google.protobuf`. The longest matching prefix applies.
    pub extern_paths: BTreeMap<String, String>,
}

/// Origin of messages and enums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageSource {
    /// This plugin generates them, with prost.
    Prost,
    /// They exist at the paths given by `extern_path`.
    External,
}

/// Treatment of a package and a message whose modules have one path, such as package `x.cluster`
/// and message `Cluster` of package `x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleClash {
    /// Reports them as an error.
    Refuse,
    /// Makes one module of them.
    Merge,
}

/// Default paths of `google.protobuf` and of the types of parigot. Each wrapper has its own entry,
/// because prost would otherwise apply the path of the package.
const WELL_KNOWN: [(&str, &str); 12] = [
    (".parigot.v1.Id", "::parigot_guest::proto::Id"),
    (".google.protobuf", "::parigot_guest::prost_types"),
    (".google.protobuf.BoolValue", "bool"),
    (
        ".google.protobuf.BytesValue",
        "::parigot_guest::prost::alloc::vec::Vec<u8>",
    ),
    (".google.protobuf.DoubleValue", "f64"),
    (".google.protobuf.Empty", "()"),
    (".google.protobuf.FloatValue", "f32"),
    (".google.protobuf.Int32Value", "i32"),
    (".google.protobuf.Int64Value", "i64"),
    (
        ".google.protobuf.StringValue",
        "::parigot_guest::prost::alloc::string::String",
    ),
    (".google.protobuf.UInt32Value", "u32"),
    (".google.protobuf.UInt64Value", "u64"),
];

impl Default for RustOptions {
    fn default() -> Self {
        Self {
            messages: MessageSource::Prost,
            mod_file: true,
            include_imports: false,
            module_clash: ModuleClash::Refuse,
            extern_paths: WELL_KNOWN
                .map(|(proto, rust)| (proto.to_owned(), rust.to_owned()))
                .into(),
        }
    }
}

impl RustOptions {
    /// Rejects options that contradict each other.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.include_imports && self.messages == MessageSource::External {
            return Err(Error::OptionsExclude {
                one: "include_imports",
                other: "messages=external",
            });
        }
        Ok(())
    }
}
