//! JSON of messages, by descriptors at run time.
//!
//! The only file that names types of the library for dynamic messages.

use std::sync::Arc;

use buffa_descriptor::generated::descriptor::FileDescriptorSet;
use buffa_descriptor::{DescriptorPool, DynamicMessage};
use prost::Message as _;

use super::well_known;

/// Extensions of these messages are custom options, which JSON does not need.
const OPTIONS: &str = ".google.protobuf.";

/// Types of all files, for the conversion of their messages.
pub(super) struct JsonTypes {
    pool: Arc<DescriptorPool>,
}

/// Error of a conversion between JSON and protobuf.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

impl JsonError {
    fn new(error: impl ToString) -> Self {
        JsonError(error.to_string())
    }
}

impl JsonTypes {
    /// Creates the types of `google/protobuf/*`.
    pub(super) fn new() -> Self {
        let set = prost_types::FileDescriptorSet {
            file: well_known::files(),
        };
        let pool = DescriptorPool::decode(&set.encode_to_vec());
        JsonTypes {
            pool: Arc::new(pool.expect("the files must be valid")),
        }
    }

    /// Adds the files of a `FileDescriptorSet`. A file with a known name is left out.
    ///
    /// # Errors
    ///
    /// If the files cannot be linked with the known ones. No file is added then.
    pub(super) fn add(&mut self, descriptors: &[u8]) -> Result<(), JsonError> {
        let options = buffa::DecodeOptions::new().with_element_memory_limit(usize::MAX);
        let set = options.decode_from_slice::<FileDescriptorSet>(descriptors);
        let mut set = set.map_err(JsonError::new)?;
        for file in &mut set.file {
            let is_of_message = |extendee: &Option<String>| {
                !extendee
                    .as_ref()
                    .is_some_and(|name| name.starts_with(OPTIONS))
            };
            file.extension
                .retain(|extension| is_of_message(&extension.extendee));
        }
        let pool = Arc::make_mut(&mut self.pool);
        pool.add_file_descriptor_set(set).map_err(JsonError::new)
    }

    /// Converts a message from protobuf to JSON.
    ///
    /// # Errors
    ///
    /// If the type is unknown, if the bytes are not such a message, or if an `Any` in the message
    /// has an unknown type.
    pub(super) fn to_json(&self, message: &str, proto: &[u8]) -> Result<Vec<u8>, JsonError> {
        let index = self.index(message)?;
        let decoded = DynamicMessage::decode(Arc::clone(&self.pool), index, proto);
        let json = decoded.map_err(JsonError::new)?.to_json();
        json.map(String::into_bytes).map_err(JsonError::new)
    }

    /// Converts a message from JSON to protobuf. Unknown fields are ignored, so that clients may
    /// be newer than the service.
    ///
    /// # Errors
    ///
    /// If the type is unknown, or if the text is not JSON of such a message.
    pub(super) fn to_proto(&self, message: &str, json: &[u8]) -> Result<Vec<u8>, JsonError> {
        let index = self.index(message)?;
        let text = std::str::from_utf8(json).map_err(JsonError::new)?;
        let pool = Arc::clone(&self.pool);
        let decoded = DynamicMessage::from_json_ignoring_unknown(pool, index, text);
        let proto = decoded.map_err(JsonError::new)?.try_encode_to_vec();
        proto.map_err(JsonError::new)
    }

    fn index(&self, message: &str) -> Result<buffa_descriptor::MessageIndex, JsonError> {
        let unknown = || JsonError(format!("no guest has the descriptor of {message}"));
        self.pool.message_index(message).ok_or_else(unknown)
    }
}
