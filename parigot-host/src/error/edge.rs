//! Errors of the tables `[edge.<name>]` of a deployment file.

use std::net::SocketAddr;

/// Kind of a `ConfigError` about an edge.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EdgeErrorKind<'a> {
    #[error("{place} has no `listen`")]
    NoListen { place: &'a str },
    #[error("{place} has no services")]
    NoServices { place: &'a str },
    #[error("{text:?} is not an address to listen on")]
    Listen { text: &'a str },
    #[error("the edges `{first}` and `{second}` both listen on {address}")]
    SameAddress {
        address: SocketAddr,
        first: &'a str,
        second: &'a str,
    },
    #[error("{service} is listed twice")]
    ServiceTwice { service: &'a str },
    #[error("{name:?} is not the name of a header")]
    Header { name: &'a str },
    #[error("the header {name:?} is reserved for the host")]
    ReservedHeader { name: &'a str },
    #[error("{text:?} is not the origin of a web page")]
    Origin { text: &'a str },
    #[error("there is no edge `{name}`")]
    Unknown {
        name: &'a str,
        similar: Option<&'a str>,
        known: &'a [&'a str],
    },
    #[error("the edge `{edge}` is in the processes `{first}` and `{second}`")]
    InTwoProcesses {
        edge: &'a str,
        first: &'a str,
        second: &'a str,
    },
    #[error("the edge `{edge}` is in no process")]
    InNoProcess { edge: &'a str },
}

impl EdgeErrorKind<'_> {
    /// Returns the next step.
    pub(crate) fn help(&self) -> String {
        match self {
            EdgeErrorKind::NoListen { .. } => {
                "add `listen = \"127.0.0.1:8080\"`, the address for clients".into()
            }
            EdgeErrorKind::NoServices { .. } => {
                "add `services = [\"<package>.<Service>\"]`: clients can call only listed services"
                    .into()
            }
            EdgeErrorKind::Listen { .. } => {
                "write an IP address and a port: \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for all \
                 addresses of the machine"
                    .into()
            }
            EdgeErrorKind::SameAddress { .. } => "give one of them another port".into(),
            EdgeErrorKind::ServiceTwice { .. } => "remove one of the two".into(),
            EdgeErrorKind::Header { .. } => {
                "write names such as \"x-request-id\", or \"*\" for all headers".into()
            }
            EdgeErrorKind::ReservedHeader { .. } => {
                "remove it: guests rely on the values that the host sets".into()
            }
            EdgeErrorKind::Origin { .. } => {
                "write scheme and host without a path: \"https://app.example.com\", or \"*\" for \
                 all origins"
                    .into()
            }
            EdgeErrorKind::Unknown {
                similar: Some(name),
                ..
            } => format!("did you mean `{name}`?"),
            EdgeErrorKind::Unknown { known: [], .. } => {
                "add a table `[edge.<name>]` with `listen` and `services`".into()
            }
            EdgeErrorKind::Unknown { known, .. } => {
                format!("the file's edges: {}", known.join(", "))
            }
            EdgeErrorKind::InTwoProcesses { .. } => {
                "one process listens: remove it from the other".into()
            }
            EdgeErrorKind::InNoProcess { edge } => {
                format!("add `edge = [\"{edge}\"]` to the process that listens")
            }
        }
    }
}
