//! The subjects on which processes speak, the verb first, so that an account of NATS may allow or deny each way by itself.
//!
//! | subject | who reads it | what is said there |
//! |---|---|---|
//! | `parigot.<app>.call.<service>.<schema>` | one of those who offer the service with that schema (a queue group) | calls |
//! | `parigot.<app>.inbox.<host>.<call>` | the caller | the answer, and its pieces |
//! | `parigot.<app>.pieces.<host>.<call>` | who has taken a call that is too large for one message | its pieces |
//! | `parigot.<app>.cancel.<host>` | that host | calls for which nobody waits any more |
//! | `parigot.<app>.ready.<service>` | those who require the service | who offers it, and who does no more |
//! | `parigot.<app>.who.<service>` | those who offer the service | that somebody wants to know |
//! | `parigot.<app>.schema.<host>` | that host | that somebody wants to know what a service looks like |
//!
//! Names of services have dots, as subjects do, and all their parts are tokens. The schema is its hash in 16 hexadecimal digits: who offers a service in
//! another version has another subject, so that no call can reach one whom its caller has not found to fit.

use parigot_abi::id::{CallId, HostId};

/// The end of the subject to which answers about schemas go.
const SCHEMA: &str = "schema";
/// The end of the subject to which a host sends itself what it must hear behind all that has come.
const GOODBYE: &str = "goodbye";
/// The end of the subject on which a host hears itself.
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

    /// What all answers to a host begin with, without the last dot.
    pub(super) fn inbox(&self, host: HostId) -> String {
        self.subject("inbox", &host.to_string())
    }

    /// Where the answer to a call goes.
    pub(super) fn answer(&self, host: HostId, call: CallId) -> String {
        format!("{}.{call}", self.inbox(host))
    }

    /// Where the answer to a question about a schema goes.
    pub(super) fn schema_answer(&self, host: HostId) -> String {
        format!("{}.{SCHEMA}", self.inbox(host))
    }

    /// Where a host tells itself that another is gone.
    pub(super) fn goodbye(&self, host: HostId) -> String {
        format!("{}.{GOODBYE}", self.inbox(host))
    }

    /// Where a host hears itself.
    pub(super) fn echo(&self, host: HostId) -> String {
        format!("{}.{ECHO}", self.inbox(host))
    }

    /// What all pieces of requests to a host go to, without the last dot.
    pub(super) fn pieces(&self, host: HostId) -> String {
        self.subject("pieces", &host.to_string())
    }

    /// Where the pieces of a request go.
    pub(super) fn piece(&self, host: HostId, call: CallId) -> String {
        format!("{}.{call}", self.pieces(host))
    }
}

/// The call that a subject ends with.
pub(super) fn call_of(subject: &str) -> Option<CallId> {
    last_token(subject).parse().ok()
}

fn last_token(subject: &str) -> &str {
    subject.rsplit('.').next().unwrap_or_default()
}
