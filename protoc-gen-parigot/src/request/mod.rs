//! Request of `protoc`, with the options that prost's descriptors have no fields for.

mod canonical;
mod encoded;
pub(crate) mod extra;

use std::collections::BTreeMap;

use prost::{DecodeError, Message};
use prost_types::compiler::CodeGeneratorRequest;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use crate::protos::OPTIONS_PROTO_NAME;

/// Files to generate, and the parameters of the run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Names of the files to generate.
    pub file_to_generate: Vec<String>,
    /// Value of all `--parigot_opt` options, separated by commas.
    pub parameter: String,
    /// Files to generate and their imports.
    pub proto_file: Vec<FileDescriptorProto>,
    /// Second view of these files, by name.
    pub(crate) extra: BTreeMap<String, extra::FileExtra>,
    /// Encoded files, by name, without their source info. They have the options that prost drops.
    pub(crate) encoded: BTreeMap<String, Vec<u8>>,
}

impl Request {
    /// Decodes a `CodeGeneratorRequest`.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not such a message.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let CodeGeneratorRequest {
            file_to_generate,
            parameter,
            proto_file,
            ..
        } = CodeGeneratorRequest::decode(bytes)?;
        let extra = wants_extra(&proto_file)
            .then(|| extra::RequestExtra::decode(bytes))
            .transpose()?;
        let extra = by_name(extra.map(|request| request.proto_file));
        let encoded = encoded::by_name(encoded::Request::decode(bytes)?.proto_file)?;
        Ok(Self {
            file_to_generate,
            parameter: parameter.unwrap_or_default(),
            proto_file,
            extra,
            encoded,
        })
    }

    /// Builds a request to generate some of the files of an encoded `FileDescriptorSet`.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not such a message.
    pub fn of_descriptors(
        bytes: &[u8],
        file_to_generate: Vec<String>,
        parameter: &str,
    ) -> Result<Self, DecodeError> {
        let proto_file = FileDescriptorSet::decode(bytes)?.file;
        let extra = wants_extra(&proto_file)
            .then(|| extra::FileSetExtra::decode(bytes))
            .transpose()?;
        let extra = by_name(extra.map(|set| set.file));
        let encoded = encoded::by_name(encoded::FileSet::decode(bytes)?.file)?;
        Ok(Self {
            file_to_generate,
            parameter: parameter.to_owned(),
            proto_file,
            extra,
            encoded,
        })
    }
}

/// Returns true if a file has options or features that prost drops.
///
/// Only a request that contains `parigot/v1/options.proto` is read for its options: another
/// extension may use the same number.
fn wants_extra(files: &[FileDescriptorProto]) -> bool {
    files
        .iter()
        .any(|file| file.name() == OPTIONS_PROTO_NAME || file.syntax() == "editions")
}

fn by_name(files: Option<Vec<extra::FileExtra>>) -> BTreeMap<String, extra::FileExtra> {
    let files = files.unwrap_or_default();
    let has_options = files.iter().any(|file| file.name == OPTIONS_PROTO_NAME);
    let without_foreign = |mut file: extra::FileExtra| {
        if !has_options {
            file.forget_parigot_options();
        }
        (file.name.clone(), file)
    };
    files.into_iter().map(without_foreign).collect()
}
