//! Third view of the bytes of a request: files that stay encoded.

use std::collections::BTreeMap;

use prost::{DecodeError, Message};

use super::canonical::{Kind, canonical};

#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(bytes = "vec", repeated, tag = "15")]
    pub(super) proto_file: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FileSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) file: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct FileName {
    #[prost(string, tag = "1")]
    name: String,
}

/// Returns encoded files in canonical form, by name.
pub(super) fn by_name(files: Vec<Vec<u8>>) -> Result<BTreeMap<String, Vec<u8>>, DecodeError> {
    let named = |file: Vec<u8>| {
        let FileName { name } = FileName::decode(&*file)?;
        Ok((name, canonical(Kind::File, &file)?))
    };
    files.into_iter().map(named).collect()
}
