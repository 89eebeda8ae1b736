//! Attributes of a guest's log line: the fields of a log frame as a JSON object.

use parigot_abi::frame::Pairs;
use serde_json::Value;

use crate::limits::LOG_LINE_BYTES_MAX;

/// Member that counts the attributes beyond the limit of a line.
const OMITTED: &str = "omitted_attributes";

/// Returns the fields as a JSON object in their order, or `None` if there are none.
///
/// A value that is not JSON becomes a string. Malformed metadata is read up to the first error.
/// Attributes that would make the object longer than a line may be are omitted and counted.
pub(crate) fn to_json(metadata: &[u8]) -> Option<String> {
    if metadata.is_empty() {
        return None;
    }
    let mut object = String::new();
    let mut omitted = 0_u64;
    for (name, value) in Pairs::new(metadata).flatten() {
        let value: Value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        let member = format!("{}:{value}", Value::from(name));
        if object.len() + member.len() > LOG_LINE_BYTES_MAX {
            omitted += 1;
            continue;
        }
        push_member(&mut object, &member);
    }
    if omitted > 0 {
        push_member(&mut object, &format!("\"{OMITTED}\":{omitted}"));
    }
    Some(format!("{{{object}}}"))
}

fn push_member(object: &mut String, member: &str) {
    if !object.is_empty() {
        object.push(',');
    }
    object.push_str(member);
}

#[cfg(test)]
mod tests {
    use parigot_abi::frame::push_pair;

    use super::*;

    fn json(fields: &[(&str, &str)]) -> Option<String> {
        let mut metadata = Vec::new();
        for (name, value) in fields {
            push_pair(&mut metadata, name, value);
        }
        to_json(&metadata)
    }

    #[test]
    fn fields_keep_their_order_and_types() {
        let fields = [
            ("z", "1"),
            ("a", "\"1\""),
            ("b", "[true,null]"),
            ("c", "-0.5e3"),
        ];
        let expected = r#"{"z":1,"a":"1","b":[true,null],"c":-500.0}"#;
        assert_eq!(json(&fields).as_deref(), Some(expected));
        assert_eq!(json(&[]), None);
    }

    #[test]
    fn a_value_that_is_not_json_is_a_string() {
        let fields = [("a", "rye bread"), ("b", "1 2"), ("c", ""), ("\"", "1e999")];
        let expected = r#"{"a":"rye bread","b":"1 2","c":"","\"":"1e999"}"#;
        assert_eq!(json(&fields).as_deref(), Some(expected));
        let deep = "[".repeat(100_000);
        assert!(json(&[("deep", &deep)]).is_some(), "depth is limited");
    }

    #[test]
    fn attributes_beyond_a_line_are_counted() {
        let long = format!("\"{}\"", "x".repeat(LOG_LINE_BYTES_MAX));
        let fields = [("long", &*long), ("short", "1"), ("long", &long)];
        assert_eq!(
            json(&fields).as_deref(),
            Some(r#"{"short":1,"omitted_attributes":2}"#)
        );
    }

    #[test]
    fn malformed_fields_are_read_up_to_the_error() {
        let mut metadata = Vec::new();
        push_pair(&mut metadata, "a", "1");
        metadata.extend_from_slice(&[9, 0, 0, 0]);
        assert_eq!(to_json(&metadata).as_deref(), Some(r#"{"a":1}"#));
    }
}
