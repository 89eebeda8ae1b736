//! One form of an encoded file for all compilers of `.proto` files.
//!
//! Equal `.proto` files must give equal generated code, but compilers encode them differently:
//!
//! | compilers differ in | form here |
//! |---|---|
//! | the order of custom options and others: by number, or custom ones first | by number |
//! | the options of a method with an empty body: empty, or none | none |
//! | the spelling of defaults of numbers: `1e39` of a `float`, or `inf` | as protoc spells them |
//! | source info | none |

use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};
use prost::{DecodeError, Message as _};
use prost_types::field_descriptor_proto::Type;

use self::Kind::{Enum, EnumValue, Extensions, Field, Message, Method, Oneof, Options, Service};
use crate::float;

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
/// Field number of `FieldDescriptorProto.default_value`.
const DEFAULT_VALUE: u32 = 7;

/// Default of a field: part of `FieldDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
struct Default {
    #[prost(enumeration = "Type", tag = "5")]
    r#type: i32,
    #[prost(string, tag = "7")]
    default_value: String,
}

/// Returns an encoded message of this kind in canonical form.
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
            _ if kind == Field && number == DEFAULT_VALUE => default(message)?,
            Some(inner) if wire_type == WireType::LengthDelimited => {
                decode_varint(&mut content)?;
                let content = canonical(inner, &content[..content.len() - rest.len()])?;
                if content.is_empty() && inner == Options {
                    continue;
                }
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

/// Returns the encoded default of a field.
fn default(field: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let field = Default::decode(field)?;
    let default_value = match field.r#type() {
        number @ (Type::Float | Type::Double) => {
            float::as_protoc_writes(&field.default_value, number)
        }
        _ => field.default_value,
    };
    let mut encoded = Vec::new();
    prost::encoding::string::encode(DEFAULT_VALUE, &default_value, &mut encoded);
    Ok(encoded)
}
