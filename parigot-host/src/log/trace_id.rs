//! Trace id of a call, from the W3C trace context in its metadata.

use std::fmt;
use std::num::NonZero;

use parigot_abi::frame::Pairs;

/// Trace id of <https://www.w3.org/TR/trace-context/>, printed in 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceId(NonZero<u128>);

impl TraceId {
    /// Returns the trace id in metadata; `None` without a valid `traceparent`.
    ///
    /// Out of line, because most calls have no metadata.
    #[cold]
    pub(crate) fn of(metadata: &[u8]) -> Option<Self> {
        let mut pairs = Pairs::new(metadata).flatten();
        pairs
            .find(|(key, _)| *key == "traceparent")
            .and_then(|(_, value)| Self::parse(value))
    }

    /// Parses `version-trace-parent-flags`. Later versions may append parts.
    fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let mut hex = |digits: usize| {
            let is_hex = |part: &&str| {
                part.len() == digits && part.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
            };
            parts.next().filter(is_hex)
        };
        let version = hex(2)?;
        let trace = hex(32)?;
        hex(16)?;
        hex(2)?;
        if version == "ff" || version == "00" && parts.next().is_some() {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok()?;
        NonZero::new(trace).map(TraceId)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use parigot_abi::frame::push_pair;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn id(traceparent: &str) -> Option<String> {
        TraceId::parse(traceparent).map(|id| id.to_string())
    }

    #[test]
    fn a_trace_parent_has_a_trace_id() {
        let id = |traceparent: &str| id(traceparent).expect("the text must be valid");
        assert_eq!(id(&format!("00-{TRACE}-b7ad6b7169203331-01")), TRACE);
        assert_eq!(id(&format!("01-{TRACE}-b7ad6b7169203331-01-more")), TRACE);
        let short = "00000000000000000000000000000001";
        assert_eq!(id(&format!("00-{short}-b7ad6b7169203331-00")), short);
    }

    #[test]
    fn an_invalid_trace_parent_has_none() {
        let zeros = "0".repeat(32);
        for invalid in [
            "",
            TRACE,
            &format!("00-{TRACE}-b7ad6b7169203331"),
            &format!("ff-{TRACE}-b7ad6b7169203331-01"),
            &format!("00-{TRACE}-b7ad6b7169203331-01-more"),
            &format!("00-{}-b7ad6b7169203331-01", TRACE.to_uppercase()),
            &format!("00-+{}-b7ad6b7169203331-01", &TRACE[1..]),
            &format!("00-{zeros}-b7ad6b7169203331-01"),
        ] {
            assert_eq!(id(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn other_metadata_is_skipped() {
        let mut metadata = Vec::new();
        push_pair(&mut metadata, "colour", "red");
        assert_eq!(TraceId::of(&metadata), None);
        let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
        push_pair(&mut metadata, "traceparent", &parent);
        let found = TraceId::of(&metadata).map(|id| id.to_string());
        assert_eq!(found.as_deref(), Some(TRACE));
    }
}
