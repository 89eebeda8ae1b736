//! gRPC codes of error enums: the option `(parigot.v1.error).code` of enum values.

use std::collections::BTreeMap;

use super::field_number;
use super::index::TypeEntry;
use super::source::Node;
use crate::model::{Code, ErrorCode};
use crate::request::extra;

/// Returns the codes of an enum's values, by number. Of several values with one number, the first
/// with a code counts. Values without a code are left out.
pub(super) fn of_enum(ty: TypeEntry<'_>) -> Vec<ErrorCode> {
    let Node::Enum(item) = ty.item.node else {
        return Vec::new();
    };
    let Some(extra) = ty
        .source
        .extra
        .and_then(|file| extra_of(file, &ty.item.path))
    else {
        return Vec::new();
    };
    let mut codes = BTreeMap::new();
    for (value, extra) in item.value.iter().zip(&extra.value) {
        if let Some(code) = Code::from_number(extra.code()) {
            codes.entry(value.number()).or_insert_with(|| ErrorCode {
                number: value.number(),
                value: value.name().to_owned(),
                code,
            });
        }
    }
    codes.into_values().collect()
}

/// Returns the code of the value with this number.
pub(super) fn find(codes: &[ErrorCode], number: i32) -> Option<Code> {
    let index = codes.binary_search_by_key(&number, |code| code.number);
    index.ok().map(|index| codes[index].code)
}

/// Returns the second view of the enum at `path`.
fn extra_of<'a>(file: &'a extra::FileExtra, path: &[i32]) -> Option<&'a extra::EnumExtra> {
    let at = |index: &i32| usize::try_from(*index).ok();
    let (last, around) = path.split_last_chunk::<2>().map(|(a, b)| (b, a))?;
    let mut message: Option<&extra::MessageExtra> = None;
    for step in around.chunks(2) {
        let index = at(step.get(1)?)?;
        let messages = message.map_or(&file.message_type, |message| &message.nested_type);
        message = Some(messages.get(index)?);
    }
    debug_assert!(matches!(
        last[0],
        field_number::ENUM_TYPE | field_number::MESSAGE_ENUM
    ));
    let enums = message.map_or(&file.enum_type, |message| &message.enum_type);
    enums.get(at(&last[1])?)
}
