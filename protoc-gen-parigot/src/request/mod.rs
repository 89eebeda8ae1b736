//! A request as `protoc` sends it, with the options for which prost's descriptors have no field.

pub(crate) mod extra;

use std::collections::BTreeMap;

use prost::{DecodeError, Message};
use prost_types::compiler::CodeGeneratorRequest;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

use crate::protos::OPTIONS_PROTO_NAME;

/// What is to be generated, and how.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// The files to generate, by name.
    pub file_to_generate: Vec<String>,
    /// All that was given with `--parigot_opt`.
    pub parameter: String,
    /// Those files, and what they import.
    pub proto_file: Vec<FileDescriptorProto>,
    /// More of them, by name.
    pub(crate) extra: BTreeMap<String, extra::FileExtra>,
}

impl Request {
    /// Reads an encoded `CodeGeneratorRequest`.
    ///
    /// # Errors
    ///
    /// If the bytes are no such message.
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
        Ok(Self {
            file_to_generate,
            parameter: parameter.unwrap_or_default(),
            proto_file,
            extra,
        })
    }

    /// The request to generate some of the files of an encoded `FileDescriptorSet`.
    ///
    /// # Errors
    ///
    /// If the bytes are no such message.
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
        Ok(Self {
            file_to_generate,
            parameter: parameter.to_owned(),
            proto_file,
            extra,
        })
    }
}

/// Whether there is more to be read. An extension of the same number that is somebody else's is none of ours.
fn wants_extra(files: &[FileDescriptorProto]) -> bool {
    files
        .iter()
        .any(|file| file.name() == OPTIONS_PROTO_NAME || file.syntax() == "editions")
}

fn by_name(files: Option<Vec<extra::FileExtra>>) -> BTreeMap<String, extra::FileExtra> {
    let files = files.unwrap_or_default();
    let has_options = files.iter().any(|file| file.name == OPTIONS_PROTO_NAME);
    let without_foreign = |mut file: extra::FileExtra| {
        file.service.retain(|_| has_options);
        (file.name.clone(), file)
    };
    files.into_iter().map(without_foreign).collect()
}
