//! Hash of a service's schema, which both sides of a call compare.
//!
//! The hash is the 64-bit FNV-1a over the UTF-8 bytes of a canonical text. Equal hashes mean that
//! both sides were generated from the same rpcs and the same messages, field by field. Comments,
//! options except the codes of error enums, the order of declarations and the files that contain
//! the declarations do not affect the hash. Methods that `streaming=skip` leaves out do not affect
//! the hash either.
//!
//! # The canonical text of a schema
//!
//! The text consists of lines, each ended by `\n`: the version of this form, the service, its
//! methods by name, and its error enum if the service has one. Then follows every message and enum
//! reachable from these, by full name, with fields and values by number (equal numbers by name).
//!
//! ```text
//! schema 1
//! service greeting.v1.Greeting
//! rpc FetchGreeting greeting.v1.FetchGreetingRequest greeting.v1.FetchGreetingResponse
//! error greeting.v1.GreetErr
//! message greeting.v1.FetchGreetingRequest
//! 1 tongue singular greeting.v1.Tongue
//! message greeting.v1.FetchGreetingResponse
//! 1 greeting singular string
//! enum greeting.v1.GreetErr
//! 0 NoError
//! 4 UnknownLang
//! enum greeting.v1.Tongue
//! 0 Unspecified
//! …
//! ```
//!
//! Messages that stream have `stream ` before their name, as in a `.proto`:
//! `rpc Watch feed.Item stream feed.Item`.
//!
//! A field is written as number, name, label and type. The label is `singular`, `optional`
//! (presence is kept), `required`, `repeated`, or `oneof:` with the name of the oneof. The type is
//! the name of a scalar or a full name, with `group ` before it for a group. A map is written as
//! the repeated message that encodes it on the wire.
//!
//! Of the messages and enums in the files `api`, `compiler/plugin`, `descriptor` and `type` of
//! `google/protobuf`, to which versions of `protoc` add fields, only the names are written.
//!
//! An enum value is written as number and name, and its gRPC code if it has the option
//! `(parigot.v1.error).code`: `4 UnknownLang INVALID_ARGUMENT`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// A service and every type that its messages contain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// Full name of the service.
    pub service: String,
    /// Request and response of each method, by the method's name; `stream p.M` if they stream.
    pub methods: BTreeMap<String, (String, String)>,
    /// Full name of the error enum.
    pub error: Option<String>,
    /// Every reachable message and enum, by full name.
    pub types: BTreeMap<String, TypeSchema>,
}

/// A message's fields or an enum's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeSchema {
    /// Fields: number, name, label and type.
    Message(BTreeSet<(i32, String, String, String)>),
    /// Values: number, name and gRPC code.
    Enum(BTreeSet<(i32, String, Option<&'static str>)>),
}

impl Schema {
    /// Returns the hash of [`Schema::text`].
    pub fn hash(&self) -> u64 {
        fnv1a(self.text().as_bytes())
    }

    /// Returns the canonical text.
    pub fn text(&self) -> String {
        let mut text = format!("schema 1\nservice {}\n", self.service);
        for (name, (request, response)) in &self.methods {
            line(&mut text, format_args!("rpc {name} {request} {response}"));
        }
        if let Some(error) = &self.error {
            line(&mut text, format_args!("error {error}"));
        }
        for (name, schema) in &self.types {
            schema.write(name, &mut text);
        }
        text
    }
}

impl TypeSchema {
    fn write(&self, full_name: &str, text: &mut String) {
        match self {
            Self::Message(fields) => {
                line(text, format_args!("message {full_name}"));
                for (number, name, label, ty) in fields {
                    line(text, format_args!("{number} {name} {label} {ty}"));
                }
            }
            Self::Enum(values) => {
                line(text, format_args!("enum {full_name}"));
                for (number, name, code) in values {
                    let space = if code.is_some() { " " } else { "" };
                    let code = code.unwrap_or_default();
                    line(text, format_args!("{number} {name}{space}{code}"));
                }
            }
        }
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a String must succeed");
}

/// Returns the 64-bit FNV-1a hash of bytes.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_schema_text_is_sorted() {
        let fields = [(2, "b", "singular", "string"), (1, "a", "repeated", "p.E")];
        let fields =
            fields.map(|(number, name, label, ty)| (number, name.into(), label.into(), ty.into()));
        let schema = Schema {
            service: "p.S".into(),
            methods: [("Do".into(), ("p.M".into(), "p.M".into()))].into(),
            error: Some("p.E".into()),
            types: [
                ("p.M".into(), TypeSchema::Message(fields.into())),
                (
                    "p.E".into(),
                    TypeSchema::Enum(
                        [
                            (0, "None".into(), None),
                            (1, "Gone".into(), Some("NOT_FOUND")),
                        ]
                        .into(),
                    ),
                ),
            ]
            .into(),
        };
        let text = "schema 1\nservice p.S\nrpc Do p.M p.M\nerror p.E\n\
                    enum p.E\n0 None\n1 Gone NOT_FOUND\n\
                    message p.M\n1 a repeated p.E\n2 b singular string\n";
        assert_eq!(schema.text(), text);
        assert_eq!(schema.hash(), fnv1a(text.as_bytes()));
    }
}
