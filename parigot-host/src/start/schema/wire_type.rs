//! Rows of types that can be read as each other.

use prost_types::FieldDescriptorProto;
use prost_types::field_descriptor_proto::Type;

/// Wire representation of a value: a row of the table in [`super`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WireType {
    Varint,
    Zigzag,
    Bits32,
    Bits64,
    Float,
    Double,
    Text,
    Bytes,
    Message,
    Group,
}

impl WireType {
    pub(super) fn of(field: &FieldDescriptorProto) -> Self {
        match field.r#type() {
            Type::Int32 | Type::Int64 | Type::Uint32 | Type::Uint64 | Type::Bool | Type::Enum => {
                WireType::Varint
            }
            Type::Sint32 | Type::Sint64 => WireType::Zigzag,
            Type::Fixed32 | Type::Sfixed32 => WireType::Bits32,
            Type::Fixed64 | Type::Sfixed64 => WireType::Bits64,
            Type::Float => WireType::Float,
            Type::Double => WireType::Double,
            Type::String => WireType::Text,
            Type::Bytes => WireType::Bytes,
            Type::Message => WireType::Message,
            Type::Group => WireType::Group,
        }
    }

    pub(super) fn can_be_read_as(self, other: WireType) -> bool {
        self == other
            || matches!(
                (self, other),
                (WireType::Text | WireType::Message, WireType::Bytes)
            )
    }

    /// Returns true if repeated values of this row may be packed.
    pub(super) fn may_be_packed(self) -> bool {
        !matches!(
            self,
            WireType::Text | WireType::Bytes | WireType::Message | WireType::Group
        )
    }
}
