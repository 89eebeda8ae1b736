//! The messages of all golden cases, each with a way through prost's type of it and through that of the crate `protobuf`.

pub mod corpus;

use parigot_guest::prost;
use protobuf::reflect::FileDescriptor;

/// A golden case.
#[derive(Debug)]
pub struct Case {
    /// Its folder.
    pub name: &'static str,
    /// Its messages, nested ones included.
    pub messages: &'static [Message],
    /// The file that holds their `FileDescriptorSet`, imports included.
    pub descriptors: &'static str,
    /// What `protobuf-codegen` has made of its files; nothing if it cannot carry them.
    protobuf: &'static [fn() -> &'static FileDescriptor],
}

/// A message of a golden case.
#[derive(Debug)]
pub struct Message {
    /// Its full name, without a leading dot.
    pub name: &'static str,
    /// Reads it and writes it again as generated code does.
    pub prost: fn(&[u8]) -> Result<Vec<u8>, prost::DecodeError>,
}

fn through_prost<M: prost::Message + Default>(bytes: &[u8]) -> Result<Vec<u8>, prost::DecodeError> {
    M::decode(bytes).map(|message| message.encode_to_vec())
}

impl Case {
    /// Reads a message and writes it again as the code of `protobuf-codegen` does.
    ///
    /// # Errors
    ///
    /// If it cannot be read or written.
    ///
    /// # Panics
    ///
    /// If `protobuf-codegen` has made no message of that name.
    pub fn through_protobuf(&self, name: &str, bytes: &[u8]) -> protobuf::Result<Vec<u8>> {
        let found = self
            .protobuf
            .iter()
            .find_map(|file| file().message_by_full_name(&format!(".{name}")));
        found
            .expect("protobuf has the same messages")
            .parse_from_bytes(bytes)?
            .write_to_bytes_dyn()
    }
}

mod generated {
    use super::{Case, Message, through_prost};

    include!(concat!(env!("OUT_DIR"), "/cases.rs"));
}

pub use generated::CASES;
