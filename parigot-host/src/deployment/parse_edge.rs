//! Parses the tables `[edge.<name>]`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;

use toml::de::DeTable;

use super::edge::{EdgeSpec, ErrorTexts, ExposedService, ForwardedHeaders};
use super::values::{Key, Reader, Scale, Value, is_name};
use crate::error::{ConfigErrorKind, EdgeErrorKind, suggest};

const EDGE_KEYS: &[&str] = &[
    "listen",
    "services",
    "headers",
    "cors",
    "reflection",
    "deadline",
    "max_message",
    "max_calls",
    "errors",
];

const MAX_MESSAGE: Scale = Scale::of_size(
    "max_message",
    1 << 10..=16 << 20,
    "a whole number and KiB or MiB, from \"1KiB\" to \"16MiB\", such as \"4MiB\"",
);

/// Positions of the addresses of all edges, with the names of the edges.
type Addresses = BTreeMap<SocketAddr, (String, Range<usize>)>;

impl Reader<'_> {
    /// Parses all edges.
    pub(super) fn edges(&mut self, value: &Value<'_>) {
        let mut addresses = Addresses::new();
        for (key, place, entry) in self.named_tables("edge", value) {
            let name = key.get_ref().as_ref();
            if !is_name(name) {
                self.report(key.span(), ConfigErrorKind::Name { name, of: "edge" });
            }
            if let Some(entry) = entry {
                let edge = self.edge(key, &place, entry, &mut addresses);
                self.deployment.edges.push(edge);
            }
        }
    }

    fn edge(
        &mut self,
        name: &Key<'_>,
        place: &str,
        entry: &DeTable<'_>,
        addresses: &mut Addresses,
    ) -> EdgeSpec {
        let mut edge = EdgeSpec::new(name.get_ref(), name.span());
        let mut has_listen = false;
        let mut has_services = false;
        for (key, value) in entry {
            match key.get_ref().as_ref() {
                "listen" => {
                    has_listen = true;
                    if let Some(address) = self.listen(&edge.name, value, addresses) {
                        edge.listen = address;
                    }
                }
                "services" => {
                    edge.services = self.exposed(value);
                    has_services = !value.get_ref().as_array().is_some_and(|all| all.is_empty());
                }
                "headers" => edge.headers = self.forwarded_headers(value),
                "cors" => edge.cors = self.origins(value),
                "reflection" => edge.reflection = self.boolean("reflection", value),
                "deadline" => edge.deadline = self.duration("deadline", value),
                "max_message" => edge.message_bytes_max = self.quantity(value, &MAX_MESSAGE),
                "max_calls" => edge.calls_max = self.count("max_calls", value, 1..=16_000) as u32,
                "errors" => edge.errors = self.error_texts(value),
                _ => {
                    // A misspelt key is not missing as well.
                    let meant = self.unknown_key(key, place, EDGE_KEYS);
                    has_listen |= meant == Some("listen");
                    has_services |= meant == Some("services");
                }
            }
        }
        if !has_listen {
            self.report(name.span(), EdgeErrorKind::NoListen { place });
        }
        if !has_services {
            self.report(name.span(), EdgeErrorKind::NoServices { place });
        }
        edge
    }

    /// Parses the address of an edge, which no other edge may have. Port 0 stands for any.
    fn listen(
        &mut self,
        edge: &str,
        value: &Value<'_>,
        addresses: &mut Addresses,
    ) -> Option<SocketAddr> {
        let text = self.string("`listen`", value, "an address such as \"127.0.0.1:8080\"")?;
        let Ok(address) = text.parse::<SocketAddr>() else {
            self.report(value.span(), EdgeErrorKind::Listen { text });
            return None;
        };
        if address.port() == 0 {
            return Some(address);
        }
        let here = (edge.to_owned(), value.span());
        if let Some((first, other)) = addresses.insert(address, here) {
            let kind = EdgeErrorKind::SameAddress {
                address,
                first: &first,
                second: edge,
            };
            self.report(value.span(), kind).other = Some(other.into());
        }
        Some(address)
    }

    fn exposed(&mut self, value: &Value<'_>) -> Vec<ExposedService> {
        let mut services: Vec<ExposedService> = Vec::new();
        for (name, span) in self.placed_strings("services", "a service", value) {
            match services.iter().find(|known| known.name == name) {
                None => services.push(ExposedService {
                    name: name.to_owned(),
                    span,
                }),
                Some(first) => {
                    let other = first.span.clone();
                    self.report(span, EdgeErrorKind::ServiceTwice { service: name })
                        .other = Some(other.into());
                }
            }
        }
        services
    }

    fn forwarded_headers(&mut self, value: &Value<'_>) -> ForwardedHeaders {
        let mut names = Vec::new();
        let mut all = false;
        for (text, span) in self.placed_strings("headers", "a header's name", value) {
            let name = text.to_ascii_lowercase();
            if name == "*" {
                all = true;
            } else if parigot_abi::frame::is_reserved_key(&name) {
                self.report(span, EdgeErrorKind::ReservedHeader { name: text });
            } else if !is_header_name(&name) {
                self.report(span, EdgeErrorKind::Header { name: text });
            } else {
                names.push(name);
            }
        }
        match all {
            true => ForwardedHeaders::All,
            false => ForwardedHeaders::Named(names),
        }
    }

    fn origins(&mut self, value: &Value<'_>) -> Vec<String> {
        let mut origins = Vec::new();
        for (text, span) in self.placed_strings("cors", "an origin", value) {
            if is_origin(text) {
                origins.push(text.to_ascii_lowercase());
            } else {
                self.report(span, EdgeErrorKind::Origin { text });
            }
        }
        origins
    }

    fn error_texts(&mut self, value: &Value<'_>) -> ErrorTexts {
        match self.string("`errors`", value, "a string") {
            Some("full") => ErrorTexts::Full,
            Some("brief") | None => ErrorTexts::Brief,
            Some(text) => {
                self.report(
                    value.span(),
                    ConfigErrorKind::Choice {
                        key: "errors",
                        text,
                        choices: "\"brief\" or \"full\"",
                    },
                );
                ErrorTexts::Brief
            }
        }
    }

    /// Checks the edges that the processes list: with processes, each edge belongs to one.
    ///
    /// `listed` has the names of process and edge, and the position of the edge's name.
    pub(super) fn check_edges_of_processes(&mut self, listed: &[(&str, &str, Range<usize>)]) {
        let edges: BTreeMap<String, Range<usize>> = self
            .deployment
            .edges
            .iter()
            .map(|edge| (edge.name.clone(), edge.span.clone()))
            .collect();
        let known: Vec<_> = edges.keys().map(|name| &**name).collect();
        let mut homes: BTreeMap<&str, (&str, Range<usize>)> = BTreeMap::new();
        for (process, edge, span) in listed {
            if !edges.contains_key(*edge) {
                let kind = EdgeErrorKind::Unknown {
                    name: edge,
                    similar: suggest::nearest(edge, known.iter().copied()),
                    known: &known,
                };
                self.report(span.clone(), kind);
            } else if let Some((first, other)) = homes.insert(edge, (process, span.clone())) {
                let kind = EdgeErrorKind::InTwoProcesses {
                    edge,
                    first,
                    second: process,
                };
                self.report(span.clone(), kind).other = Some(other.into());
            }
        }
        for (edge, span) in &edges {
            if !homes.contains_key(&**edge) {
                self.report(span.clone(), EdgeErrorKind::InNoProcess { edge });
            }
        }
    }
}

/// Returns whether a text is the name of a header, in lower case.
fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| {
            matches!(byte, b'a'..=b'z' | b'0'..=b'9') || b"!#$%&'*+-.^_`|~".contains(&byte)
        })
}

/// Returns whether a text is an origin, as browsers send them: `https://host` or with a port.
fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'/')
    };
    text == "*" || host.is_some_and(is_host)
}
