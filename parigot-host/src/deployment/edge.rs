//! Listeners for clients from outside: the tables `[edge.<name>]`.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// Longest time of a call from outside, unless the edge sets `deadline`.
pub const EDGE_DEADLINE_DEFAULT: Duration = Duration::from_secs(30);

/// Bytes of a message of an edge, unless the edge sets `max_message`: 4 MiB.
///
/// Less than within the host, because the memory that JSON takes is a multiple of its length.
pub const EDGE_MESSAGE_BYTES_DEFAULT: u64 = 4 << 20;

/// Calls of an edge in flight, unless the edge sets `max_calls`.
pub const EDGE_CALLS_DEFAULT: u32 = 1_000;

/// A listener for clients from outside, and the services that they may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeSpec {
    /// Unique name in the file and in the log, made of `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// Address to listen on. With port 0, the system chooses a port.
    pub listen: SocketAddr,
    /// Services that clients may call; at least one, each once.
    pub services: Vec<ExposedService>,
    /// Request headers that become metadata of calls.
    pub headers: ForwardedHeaders,
    /// Origins of web pages that may call: `https://app.example.com`, or `*` for all.
    pub cors: Vec<String>,
    /// True if clients may ask for the schemas of the services, by gRPC server reflection.
    pub reflection: bool,
    /// Longest time of a call. A client may ask for less.
    pub deadline: Duration,
    /// Largest message in bytes: 1 KiB to 16 MiB.
    pub message_bytes_max: u64,
    /// Calls in flight: 1 to 16,000.
    pub calls_max: u32,
    /// Content of error messages.
    pub errors: ErrorTexts,
    /// Position of the name in the file, in bytes.
    pub span: Range<usize>,
}

/// A service of an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposedService {
    /// Full name of the service.
    pub name: String,
    /// Position of the name in the file, in bytes.
    pub span: Range<usize>,
}

/// Request headers that become metadata of calls. The headers of a trace context always do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForwardedHeaders {
    /// The headers with these names, in lower case.
    Named(Vec<String>),
    /// All headers but those of HTTP and of the protocols.
    All,
}

/// Content of the messages of errors that the host reports to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorTexts {
    /// A general text. The log has the details, by the id of the call.
    Brief,
    /// The text as in the log, with names of guests, files and panics.
    Full,
}

impl EdgeSpec {
    /// Creates an edge with default settings.
    pub(super) fn new(name: &str, span: Range<usize>) -> Self {
        EdgeSpec {
            name: name.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            services: Vec::new(),
            headers: ForwardedHeaders::Named(Vec::new()),
            cors: Vec::new(),
            reflection: false,
            deadline: EDGE_DEADLINE_DEFAULT,
            message_bytes_max: EDGE_MESSAGE_BYTES_DEFAULT,
            calls_max: EDGE_CALLS_DEFAULT,
            errors: ErrorTexts::Brief,
            span,
        }
    }
}
