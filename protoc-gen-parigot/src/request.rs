//! A request as `protoc` sends it, with the options for which prost's descriptors have no field.

use std::collections::BTreeMap;

use prost::{DecodeError, Message};
use prost_types::compiler::CodeGeneratorRequest;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

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
    pub(crate) extra: BTreeMap<String, extra::File>,
}

impl Request {
    /// Reads an encoded `CodeGeneratorRequest`.
    ///
    /// # Errors
    ///
    /// If the bytes are no such message.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let request = CodeGeneratorRequest::decode(bytes)?;
        let extra = extra::Request::decode(bytes)?.proto_file;
        let parameter = request.parameter().to_owned();
        Ok(Self { parameter, ..Self::new(request.file_to_generate, request.proto_file, extra) })
    }

    /// The request to generate some of the files of an encoded `FileDescriptorSet`.
    ///
    /// # Errors
    ///
    /// If the bytes are no such message.
    pub fn of_descriptors(bytes: &[u8], file_to_generate: Vec<String>, parameter: &str) -> Result<Self, DecodeError> {
        let files = FileDescriptorSet::decode(bytes)?.file;
        let extra = extra::FileSet::decode(bytes)?.file;
        Ok(Self { parameter: parameter.to_owned(), ..Self::new(file_to_generate, files, extra) })
    }

    fn new(file_to_generate: Vec<String>, proto_file: Vec<FileDescriptorProto>, extra: Vec<extra::File>) -> Self {
        let extra = extra.into_iter().map(|file| (file.name.clone(), file)).collect();
        Self { file_to_generate, parameter: String::new(), proto_file, extra }
    }
}

/// A second view of the same bytes: an extension is a field like any other, and a message may have as few fields as one
/// cares to read.
pub(crate) mod extra {
    /// The number of both extensions in `parigot/v1/options.proto`.
    pub(crate) const OPTIONS: i32 = 50717;
    /// The number of `parigot.v1.ServiceOptions.error`.
    pub(crate) const ERROR: i32 = 1;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Request {
        #[prost(message, repeated, tag = "15")]
        pub(crate) proto_file: Vec<File>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct FileSet {
        #[prost(message, repeated, tag = "1")]
        pub(crate) file: Vec<File>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct File {
        #[prost(string, tag = "1")]
        pub(crate) name: String,
        #[prost(message, repeated, tag = "4")]
        pub(crate) message_type: Vec<Message>,
        #[prost(message, repeated, tag = "5")]
        pub(crate) enum_type: Vec<Enum>,
        #[prost(message, repeated, tag = "6")]
        pub(crate) service: Vec<Service>,
        #[prost(message, optional, tag = "8")]
        options: Option<FileOptions>,
        /// A year and what it stands for are far apart: 1000 is edition 2023.
        #[prost(int32, tag = "14")]
        pub(crate) edition: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Message {
        #[prost(message, repeated, tag = "2")]
        pub(crate) field: Vec<Field>,
        #[prost(message, repeated, tag = "3")]
        pub(crate) nested_type: Vec<Message>,
        #[prost(message, repeated, tag = "4")]
        pub(crate) enum_type: Vec<Enum>,
        #[prost(message, optional, tag = "7")]
        options: Option<MessageDescriptorOptions>,
        #[prost(message, repeated, tag = "8")]
        pub(crate) oneof_decl: Vec<Oneof>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Field {
        #[prost(message, optional, tag = "8")]
        options: Option<FieldOptions>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Oneof {
        #[prost(message, optional, tag = "2")]
        options: Option<OneofOptions>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Enum {
        #[prost(message, optional, tag = "3")]
        options: Option<EnumOptions>,
    }

    /// What an edition lets a file choose; what is zero was not chosen here.
    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(crate) struct Features {
        #[prost(int32, tag = "1")]
        pub(crate) field_presence: i32,
        #[prost(int32, tag = "2")]
        pub(crate) enum_type: i32,
        #[prost(int32, tag = "3")]
        pub(crate) repeated_field_encoding: i32,
        #[prost(int32, tag = "5")]
        pub(crate) message_encoding: i32,
    }

    /// Options that hold features under a number of their own.
    macro_rules! options_with_features {
        ($($options:ident of $owner:ident at $number:literal;)*) => {$(
            #[derive(Clone, Copy, PartialEq, prost::Message)]
            struct $options {
                #[prost(message, optional, tag = $number)]
                features: Option<Features>,
            }

            impl $owner {
                /// What is chosen here.
                pub(crate) fn features(&self) -> Features {
                    self.options.and_then(|options| options.features).unwrap_or_default()
                }
            }
        )*};
    }

    options_with_features! {
        FileOptions of File at "50";
        MessageDescriptorOptions of Message at "12";
        FieldOptions of Field at "21";
        OneofOptions of Oneof at "1";
        EnumOptions of Enum at "7";
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Service {
        #[prost(message, repeated, tag = "2")]
        pub(crate) method: Vec<Method>,
        #[prost(message, optional, tag = "3")]
        options: Option<ServiceDescriptorOptions>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct ServiceDescriptorOptions {
        #[prost(message, optional, tag = "50717")]
        parigot: Option<ServiceOptions>,
    }

    /// `parigot.v1.ServiceOptions`
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct ServiceOptions {
        #[prost(string, tag = "1")]
        pub(crate) error: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Method {
        #[prost(message, optional, tag = "4")]
        options: Option<MethodDescriptorOptions>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct MethodDescriptorOptions {
        #[prost(message, optional, tag = "50717")]
        parigot: Option<MethodOptions>,
    }

    /// `parigot.v1.MethodOptions`
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct MethodOptions {
        #[prost(uint32, tag = "1")]
        pub(crate) budget_ms: u32,
        #[prost(uint32, tag = "2")]
        pub(crate) deadline_ms: u32,
    }

    impl Service {
        /// What is set on the service.
        pub(crate) fn options(&self) -> ServiceOptions {
            self.options.clone().and_then(|options| options.parigot).unwrap_or_default()
        }
    }

    impl Method {
        /// What is set on the method.
        pub(crate) fn options(&self) -> MethodOptions {
            self.options.clone().and_then(|options| options.parigot).unwrap_or_default()
        }
    }
}
