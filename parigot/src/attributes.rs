//! Attributes of a guest's log line. They are untrusted: a name may be that of a column.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// Members of a JSON line that only this command writes.
const RESERVED: [&str; 6] = ["time", "level", "process", "message", "at", "help"];

/// Attributes in their order, each name once.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Attributes(Vec<(String, Value)>);

impl Attributes {
    /// Parses a JSON object. Attributes that are none become an attribute of their own.
    pub(crate) fn parse(object: &str) -> Self {
        serde_json::from_str(object)
            .unwrap_or_else(|_| Attributes(vec![("attributes".into(), object.into())]))
    }

    /// Returns the members of a JSON line. A reserved name follows `attr.`.
    pub(crate) fn members(&self) -> impl Iterator<Item = (String, &Value)> {
        self.0.iter().map(|(name, value)| {
            let prefix = if is_reserved(name) { "attr." } else { "" };
            (format!("{prefix}{name}"), value)
        })
    }

    /// Returns the text behind a message: ` name=value` for each.
    pub(crate) fn text(&self) -> String {
        let text_of = |(name, value): &(String, Value)| {
            let value = match value {
                Value::String(text) if is_plain(text) => text.clone(),
                Value::Null => "<nil>".into(), // as slog writes it
                value => value.to_string(),
            };
            format!(" {name}={value}")
        };
        self.0.iter().map(text_of).collect()
    }

    /// Sets an attribute. A later value replaces an earlier one.
    fn set(&mut self, name: String, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => self.0.push((name, value)),
        }
    }
}

/// Returns whether only the host or this command writes a member of that name.
fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || parigot_host::LOG_FIELDS.contains(&name)
}

/// Returns whether a text needs no quotes between two other attributes.
fn is_plain(text: &str) -> bool {
    let separates = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '=');
    !text.is_empty() && !text.contains(separates)
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(InOrder)
    }
}

/// Visitor that keeps the order of the members, which a map of `serde_json` does not.
struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Attributes, A::Error> {
        let mut attributes = Attributes::default();
        while let Some((name, value)) = members.next_entry()? {
            attributes.set(name, value);
        }
        Ok(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_keep_their_order_and_types() {
        let attributes =
            Attributes::parse(r#"{"z":1,"a":"rye bread","b":"x","c":"","d":null,"z":[2]}"#);
        assert_eq!(
            attributes.text(),
            r#" z=[2] a="rye bread" b=x c="" d=<nil>"#
        );
        let members: Vec<_> = attributes.members().collect();
        assert_eq!(members[0], ("z".into(), &Value::from(vec![2])));
        assert_eq!(members.len(), 5);
    }

    #[test]
    fn an_attribute_cannot_pass_for_a_column() {
        for name in RESERVED.into_iter().chain(parigot_host::LOG_FIELDS) {
            let attributes = Attributes::parse(&format!(r#"{{"{name}":"forged"}}"#));
            let names: Vec<_> = attributes.members().map(|(name, _)| name).collect();
            assert_eq!(names, [format!("attr.{name}")]);
        }
    }

    #[test]
    fn other_text_is_one_attribute() {
        assert_eq!(Attributes::parse("[1]").text(), " attributes=[1]");
    }
}
