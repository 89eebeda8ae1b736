//! One form of an encoded file for all compilers of `.proto` files.
//!
//! Compilers differ in one point of the encoding: where the custom options stand among the options
//! that descriptor.proto defines. protoc writes options in the order of their numbers, buf writes
//! custom options first. Equal `.proto` files must give equal generated code, so options are sorted
//! by number here, and source info is removed.

use prost::DecodeError;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};

use self::Kind::{Enum, EnumValue, Extensions, Field, Message, Method, Oneof, Options, Service};

/// Kinds of messages of descriptor.proto that are options or lead to options.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    File,
    Message,
    Field,
    Oneof,
    Extensions,
    Enum,
    EnumValue,
    Service,
    Method,
    Options,
}

impl Kind {
    /// Returns the kind of the message in a field, if the message is or has options.
    fn of_field(self, number: u32) -> Option<Self> {
        Some(match (self, number) {
            (Self::File, 4) | (Message, 3) => Message,
            (Self::File, 5) | (Message, 4) => Enum,
            (Self::File, 6) => Service,
            (Self::File, 7) | (Message, 2 | 6) => Field,
            (Message, 5) => Extensions,
            (Message, 8) => Oneof,
            (Enum, 2) => EnumValue,
            (Service, 2) => Method,
            (Self::File | Field, 8)
            | (Message, 7)
            | (Enum | EnumValue | Service | Extensions, 3)
            | (Method, 4)
            | (Oneof, 2) => Options,
            _ => return None,
        })
    }
}

/// Field number of `FileDescriptorProto.source_code_info`.
const SOURCE_CODE_INFO: u32 = 9;

/// Returns an encoded message of this kind with all its options sorted by number and, if the
/// message is a file, without source info.
///
/// The recursion is as deep as messages are nested. The caller has decoded the file before, which
/// limits the depth to 100.
pub(super) fn canonical(kind: Kind, message: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut fields = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let field = rest;
        let (number, wire_type) = decode_key(&mut rest)?;
        let mut content = rest;
        skip_field(wire_type, number, &mut rest, DecodeContext::default())?;
        let encoded = match kind.of_field(number) {
            _ if kind == Kind::File && number == SOURCE_CODE_INFO => continue,
            Some(inner) if wire_type == WireType::LengthDelimited => {
                decode_varint(&mut content)?;
                let content = canonical(inner, &content[..content.len() - rest.len()])?;
                let mut encoded = Vec::with_capacity(content.len() + 8);
                encode_key(number, wire_type, &mut encoded);
                encode_varint(content.len() as u64, &mut encoded);
                encoded.extend(content);
                encoded
            }
            _ => field[..field.len() - rest.len()].to_vec(),
        };
        fields.push((number, encoded));
    }
    if kind == Options {
        // The sort is stable: values of one repeated option keep their order.
        fields.sort_by_key(|(number, _)| *number);
    }
    Ok(fields
        .into_iter()
        .flat_map(|(_, encoded)| encoded)
        .collect())
}
