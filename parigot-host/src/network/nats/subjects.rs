//! Subjects of the messages between processes. The verb comes first, so that a NATS account can
//! allow or deny each kind separately.
//!
//! | subject | reader | content |
//! |---|---|---|
//! | `parigot.<app>.call.<service>.<schema>` | one exporter with that schema (queue group) | calls |
//! | `parigot.<app>.inbox.<host>.<call>` | the caller | the reply and its chunks |
//! | `parigot.<app>.pieces.<host>.<call>` | the callee of a chunked call | its chunks |
//! | `parigot.<app>.cancel.<host>` | that host | cancelled calls |
//! | `parigot.<app>.ready.<service>` | requirers of the service | begin and end of an offer |
//! | `parigot.<app>.who.<service>` | exporters of the service | queries for offers |
//! | `parigot.<app>.schema.<host>` | that host | queries for a schema |
//!
//! Service names have dots like subjects, and each part is a token. The schema is its hash in 16
//! hexadecimal digits. Each schema of a service has its own subject, so a call reaches only
//! exporters that the caller has found compatible.

use parigot_abi::id::{CallId, HostId};

/// Last token of the subject for replies with a schema.
const SCHEMA: &str = "schema";
/// Last token of the subject on which a host sends itself a message that must follow all received
/// messages.
const GOODBYE: &str = "goodbye";
/// Last token of the subject on which a host receives its own messages.
const ECHO: &str = "echo";

/// The subjects of one deployment.
#[derive(Clone, Debug)]
pub(super) struct Subjects {
    app: String,
}

impl Subjects {
    pub(super) fn of(app: &str) -> Self {
        Subjects {
            app: app.to_owned(),
        }
    }

    fn subject(&self, verb: &str, rest: &str) -> String {
        format!("parigot.{}.{verb}.{rest}", self.app)
    }

    pub(super) fn call(&self, service: &str, schema: u64) -> String {
        self.subject("call", &format!("{service}.{schema:016x}"))
    }

    pub(super) fn ready(&self, service: &str) -> String {
        self.subject("ready", service)
    }

    pub(super) fn who(&self, service: &str) -> String {
        self.subject("who", service)
    }

    pub(super) fn cancel(&self, host: HostId) -> String {
        self.subject("cancel", &host.to_string())
    }

    pub(super) fn schema(&self, host: HostId) -> String {
        self.subject("schema", &host.to_string())
    }

    /// Returns the common prefix of all replies to a host, without the last dot.
    pub(super) fn inbox(&self, host: HostId) -> String {
        self.subject("inbox", &host.to_string())
    }

    /// Returns the subject of the reply to a call.
    pub(super) fn answer(&self, host: HostId, call: CallId) -> String {
        format!("{}.{call}", self.inbox(host))
    }

    /// Returns the subject of the reply to a schema query.
    pub(super) fn schema_answer(&self, host: HostId) -> String {
        format!("{}.{SCHEMA}", self.inbox(host))
    }

    /// Returns the subject on which a host notifies itself that a peer is gone.
    pub(super) fn goodbye(&self, host: HostId) -> String {
        format!("{}.{GOODBYE}", self.inbox(host))
    }

    /// Returns the subject on which a host receives its own messages.
    pub(super) fn echo(&self, host: HostId) -> String {
        format!("{}.{ECHO}", self.inbox(host))
    }

    /// Returns the common prefix of all request chunks to a host, without the last dot.
    pub(super) fn pieces(&self, host: HostId) -> String {
        self.subject("pieces", &host.to_string())
    }

    /// Returns the subject of the chunks of a request.
    pub(super) fn piece(&self, host: HostId, call: CallId) -> String {
        format!("{}.{call}", self.pieces(host))
    }
}

/// Returns the call id at the end of a subject.
pub(super) fn call_of(subject: &str) -> Option<CallId> {
    last_token(subject).parse().ok()
}

fn last_token(subject: &str) -> &str {
    subject.rsplit('.').next().unwrap_or_default()
}
