//! Headers of HTTP and metadata of calls.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use parigot_abi::frame::is_reserved_key;
use parigot_host::client::Pairs;
use parigot_host::deployment::ForwardedHeaders;

/// Headers of HTTP and of the protocols. They never become metadata.
const OF_PROTOCOLS: &[&str] = &[
    "accept",
    "accept-encoding",
    "connect-accept-encoding",
    "connect-content-encoding",
    "connect-protocol-version",
    "connect-timeout-ms",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-timeout",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Response headers and trailers that only the edge may set.
const OF_RESPONSES: &[&str] = &[
    "date",
    "grpc-message",
    "grpc-status",
    "grpc-status-details-bin",
    "proxy-connection",
    "vary",
];

/// Headers of a trace context, which always become metadata.
const TRACE: &[&str] = &["traceparent", "tracestate"];

/// A request header whose value is not UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotText {
    pub(crate) name: String,
}

/// Returns the metadata of a request.
///
/// # Errors
///
/// If a value is not UTF-8.
pub(crate) fn of_request(
    headers: &HeaderMap,
    forwarded: &ForwardedHeaders,
) -> Result<Pairs, NotText> {
    let is_forwarded = |name: &str| {
        let is_listed = match forwarded {
            ForwardedHeaders::All => !OF_PROTOCOLS.contains(&name),
            ForwardedHeaders::Named(names) => names.iter().any(|listed| listed == name),
        };
        // Guests rely on the values of reserved keys.
        (is_listed || TRACE.contains(&name)) && !is_reserved_key(name)
    };
    let pairs = headers
        .iter()
        .filter(|(name, _)| is_forwarded(name.as_str()));
    pairs
        .map(
            |(name, value)| match std::str::from_utf8(value.as_bytes()) {
                Ok(text) => Ok((name.as_str().to_owned(), text.to_owned())),
                Err(_) => Err(NotText {
                    name: name.as_str().to_owned(),
                }),
            },
        )
        .collect()
}

/// Returns the headers of a response, or its trailers. Metadata that HTTP cannot carry, and headers
/// of the protocols, are left out.
pub(crate) fn of_reply(pairs: &Pairs) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (key, value) in pairs {
        let key = key.to_ascii_lowercase();
        if OF_PROTOCOLS.contains(&&*key) || OF_RESPONSES.contains(&&*key) || is_reserved_key(&key) {
            continue;
        }
        let name = HeaderName::try_from(key);
        let value = HeaderValue::try_from(value);
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static [u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_bytes(value).expect("the value must be valid");
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    fn pairs(pairs: &[(&str, &str)]) -> Pairs {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    const REQUEST: &[(&str, &[u8])] = &[
        ("a", b"1"),
        ("a", b"2"),
        ("b", b"3"),
        ("content-type", b"application/json"),
        ("parigot-user", b"admin"),
        ("traceparent", b"00-1"),
    ];

    #[test]
    fn only_listed_headers_become_metadata() {
        let listed = ForwardedHeaders::Named(vec!["b".into(), "parigot-user".into()]);
        let found = of_request(&headers(REQUEST), &listed);
        assert_eq!(found, Ok(pairs(&[("b", "3"), ("traceparent", "00-1")])));
    }

    #[test]
    fn all_headers_but_those_of_http_can_become_metadata() {
        let found = of_request(&headers(REQUEST), &ForwardedHeaders::All);
        let expected = [("a", "1"), ("a", "2"), ("b", "3"), ("traceparent", "00-1")];
        assert_eq!(found, Ok(pairs(&expected)));
    }

    #[test]
    fn a_value_that_is_not_text_is_refused() {
        let found = of_request(&headers(&[("a", b"\xff")]), &ForwardedHeaders::All);
        assert_eq!(found, Err(NotText { name: "a".into() }));
    }

    #[test]
    fn guests_cannot_set_headers_of_the_protocols() {
        let reply = pairs(&[
            ("X-A", "1"),
            ("x-a", "2"),
            ("content-length", "7"),
            ("grpc-status", "0"),
            ("parigot-call", "x"),
            ("a b", "no name"),
            ("x-b", "a\nb"),
        ]);
        let expected = headers(&[("x-a", b"1"), ("x-a", b"2")]);
        assert_eq!(of_reply(&reply), expected);
    }
}
