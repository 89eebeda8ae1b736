//! Third view of the bytes of a request: files that stay encoded.

use std::collections::BTreeMap;

use prost::encoding::{DecodeContext, decode_key, skip_field};
use prost::{DecodeError, Message};

/// Field number of `FileDescriptorProto.source_code_info`.
const SOURCE_CODE_INFO: u32 = 9;

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

/// Returns encoded files without their source info, by name.
pub(super) fn by_name(files: Vec<Vec<u8>>) -> Result<BTreeMap<String, Vec<u8>>, DecodeError> {
    let named = |file: Vec<u8>| {
        let FileName { name } = FileName::decode(&*file)?;
        Ok((name, without_source_info(&file)?))
    };
    files.into_iter().map(named).collect()
}

/// Removes the source info of an encoded file, and copies all other fields unchanged.
fn without_source_info(file: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut kept = Vec::new();
    let mut rest = file;
    while !rest.is_empty() {
        let field = rest;
        let (tag, wire_type) = decode_key(&mut rest)?;
        skip_field(wire_type, tag, &mut rest, DecodeContext::default())?;
        if tag != SOURCE_CODE_INFO {
            kept.extend_from_slice(&field[..field.len() - rest.len()]);
        }
    }
    Ok(kept)
}
