//! Files of an edition, rewritten to the syntax with the same meaning: prost knows only proto2 and
//! proto3.
//!
//! An edition lets each file, message and field choose features that a syntax decides for the whole
//! file. In practice files choose the features of proto3, with some fields `optional`, or the
//! features of proto2. Files that combine features which no syntax has together are rejected.

use std::borrow::Cow;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto, OneofDescriptorProto,
};

use super::field_number::{FIELD, MESSAGE_TYPE, NESTED_TYPE, SYNTAX};
use crate::request::Request;
use crate::request::extra::{self, Features};

/// File of proto2 or proto3, and the features of its edition that neither syntax has.
pub(super) struct PlainFile<'a> {
    pub(super) file: Cow<'a, FileDescriptorProto>,
    pub(super) faults: Vec<Fault>,
}

/// Unsupported feature, and the path to it.
pub(super) struct Fault {
    pub(super) path: Vec<i32>,
    pub(super) what: String,
}

/// Numbers in descriptor.proto of editions and features.
const EDITION_2023: i32 = 1000;
const EDITION_2024: i32 = 1001;
const EXPLICIT: i32 = 1;
const IMPLICIT: i32 = 2;
const LEGACY_REQUIRED: i32 = 3;
const OPEN: i32 = 1;
const CLOSED: i32 = 2;
const PACKED: i32 = 1;
const LENGTH_PREFIXED: i32 = 1;
const DELIMITED: i32 = 2;

/// Default features, which are the same in both editions.
const DEFAULTS: Features = Features {
    field_presence: EXPLICIT,
    enum_type: OPEN,
    repeated_field_encoding: PACKED,
    message_encoding: LENGTH_PREFIXED,
};

/// Returns all files as proto2 or proto3.
pub(super) fn plain(request: &Request) -> Vec<PlainFile<'_>> {
    let unknown = extra::FileExtra::default();
    let plain = |file| match request
        .extra
        .get(FileDescriptorProto::name(file))
        .unwrap_or(&unknown)
    {
        extra if file.syntax() == "editions" => of_edition(file, extra),
        _ => PlainFile {
            file: Cow::Borrowed(file),
            faults: Vec::new(),
        },
    };
    request.proto_file.iter().map(plain).collect()
}

fn of_edition<'a>(file: &FileDescriptorProto, extra: &extra::FileExtra) -> PlainFile<'a> {
    let mut file = file.clone();
    let features = DEFAULTS.overridden_by(extra.features());
    let mut walk = Walk {
        is_proto2: needs_proto2(extra, features) || has_default(&file.message_type),
        faults: Vec::new(),
    };
    if !(EDITION_2023..=EDITION_2024).contains(&extra.edition) {
        let what = "the edition is not supported, expected 2023 or 2024".to_owned();
        walk.faults.push(Fault {
            path: vec![SYNTAX],
            what,
        });
    }
    walk.messages(
        &mut file.message_type,
        &extra.message_type,
        features,
        &[MESSAGE_TYPE],
    );
    file.syntax = Some(if walk.is_proto2 { "proto2" } else { "proto3" }.to_owned());
    PlainFile {
        file: Cow::Owned(file),
        faults: walk.faults,
    }
}

/// Returns true if the file uses a feature that proto3 does not have.
fn needs_proto2(file: &extra::FileExtra, features: Features) -> bool {
    enums_are_closed(&file.enum_type, features)
        || file
            .message_type
            .iter()
            .any(|message| message_needs_proto2(message, features))
}

fn message_needs_proto2(message: &extra::MessageExtra, features: Features) -> bool {
    let features = features.overridden_by(message.features());
    let is_required = |field: &extra::FieldExtra| {
        features.overridden_by(field.features()).field_presence == LEGACY_REQUIRED
    };
    message.field.iter().any(is_required)
        || enums_are_closed(&message.enum_type, features)
        || message
            .nested_type
            .iter()
            .any(|nested| message_needs_proto2(nested, features))
}

fn enums_are_closed(enums: &[extra::EnumExtra], features: Features) -> bool {
    enums
        .iter()
        .any(|item| features.overridden_by(item.features()).enum_type == CLOSED)
}

fn has_default(messages: &[DescriptorProto]) -> bool {
    let in_message = |message: &DescriptorProto| {
        message
            .field
            .iter()
            .any(|field| field.default_value.is_some())
            || has_default(&message.nested_type)
    };
    messages.iter().any(in_message)
}

impl Features {
    /// Returns the features of an inner element, which override those of the outer one.
    fn overridden_by(self, inner: Features) -> Features {
        let choose = |outer, inner| if inner == 0 { outer } else { inner };
        Features {
            field_presence: choose(self.field_presence, inner.field_presence),
            enum_type: choose(self.enum_type, inner.enum_type),
            repeated_field_encoding: choose(
                self.repeated_field_encoding,
                inner.repeated_field_encoding,
            ),
            message_encoding: choose(self.message_encoding, inner.message_encoding),
        }
    }
}

/// Walks a file, and replaces features of each field by syntax.
struct Walk {
    /// The file becomes proto2.
    is_proto2: bool,
    faults: Vec<Fault>,
}

impl Walk {
    /// Walks the messages of the list at `path`.
    fn messages(
        &mut self,
        messages: &mut [DescriptorProto],
        extra: &[extra::MessageExtra],
        outer: Features,
        path: &[i32],
    ) {
        let unknown = extra::MessageExtra::default();
        for (at, message) in messages.iter_mut().enumerate() {
            let extra = extra.get(at).unwrap_or(&unknown);
            let features = outer.overridden_by(extra.features());
            let path = step(path, at);
            self.fields(message, extra, features, &[&path[..], &[FIELD]].concat());
            let nested = [&path[..], &[NESTED_TYPE]].concat();
            self.messages(
                &mut message.nested_type,
                &extra.nested_type,
                features,
                &nested,
            );
        }
    }

    fn fields(
        &mut self,
        message: &mut DescriptorProto,
        extra: &extra::MessageExtra,
        outer: Features,
        path: &[i32],
    ) {
        for at in 0..message.field.len() {
            let field = &message.field[at];
            let oneof = field
                .oneof_index
                .and_then(|oneof| extra.oneof_decl.get(usize::try_from(oneof).ok()?));
            let outer = oneof.map_or(outer, |oneof| outer.overridden_by(oneof.features()));
            let features = extra
                .field
                .get(at)
                .map_or(outer, |field| outer.overridden_by(field.features()));
            if let Some(fault) = self.fault(field, features) {
                let what = format!(
                    "field {} has the feature {fault}",
                    field.name().escape_debug()
                );
                self.faults.push(Fault {
                    path: step(path, at),
                    what,
                });
            }
            self.field(message, at, features);
        }
    }

    fn fault(&self, field: &FieldDescriptorProto, features: Features) -> Option<&'static str> {
        if is_message(field) && features.message_encoding == DELIMITED {
            Some("message_encoding = DELIMITED, which is not supported")
        } else if is_bare(field) && features.field_presence == IMPLICIT && self.is_proto2 {
            Some(
                "field_presence = IMPLICIT, which is not supported in a file that has required \
                 fields, defaults or closed enums",
            )
        } else {
            None
        }
    }

    fn field(&self, message: &mut DescriptorProto, at: usize, features: Features) {
        let oneofs = i32::try_from(message.oneof_decl.len());
        let field = &mut message.field[at];
        if is_packable(field) {
            let packed = Some(features.repeated_field_encoding == PACKED);
            field.options = Some(FieldOptions {
                packed,
                ..field.options.take().unwrap_or_default()
            });
        }
        if field.label() != Label::Optional || field.oneof_index.is_some() {
            return;
        }
        if features.field_presence == LEGACY_REQUIRED {
            field.label = Some(Label::Required.into());
        } else if is_bare(field) && features.field_presence == EXPLICIT && !self.is_proto2 {
            field.proto3_optional = Some(true);
            field.oneof_index = oneofs.ok();
            let name = Some(format!("_{}", field.name()));
            message.oneof_decl.push(OneofDescriptorProto {
                name,
                options: None,
            });
        }
    }
}

/// Returns the path to an element of the list at `path`.
fn step(path: &[i32], at: usize) -> Vec<i32> {
    [path, &[i32::try_from(at).unwrap_or(i32::MAX)]].concat()
}

fn is_message(field: &FieldDescriptorProto) -> bool {
    matches!(field.r#type(), Type::Message | Type::Group)
}

/// Returns true for a singular field that is neither a message nor part of a oneof.
fn is_bare(field: &FieldDescriptorProto) -> bool {
    field.label() == Label::Optional && field.oneof_index.is_none() && !is_message(field)
}

fn is_packable(field: &FieldDescriptorProto) -> bool {
    let is_long = is_message(field) || matches!(field.r#type(), Type::String | Type::Bytes);
    field.label() == Label::Repeated && !is_long
}
