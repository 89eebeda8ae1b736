//! Subjects of the messages between processes.
//!
//! The [module documentation of the transport](super) lists the subjects. The verb comes first, so
//! that a NATS account can allow or deny each kind of message separately. Service names have dots
//! like subjects, and each part is a token.

use parigot_abi::id::{CallId, HostId};

/// Last token of the subject for replies with a schema.
const SCHEMA: &str = "schema";
/// Last token of the subject on which a host forwards the last announcement of a peer to itself.
const GOODBYE: &str = "goodbye";
/// Last token of the subjects for the heartbeat of streams.
const STREAMS: &str = "streams";
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

    pub(super) fn app(&self) -> &str {
        &self.app
    }

    fn subject(&self, verb: &str, rest: &str) -> String {
        format!("parigot.{}.{verb}.{rest}", self.app)
    }

    /// Returns the subject of calls to the exporters of a service with a schema.
    ///
    /// The schema hash is written in 16 hexadecimal digits. Each schema of a service has its own
    /// subject, so a call reaches only exporters that the caller has found compatible.
    pub(super) fn call(&self, service: &str, schema: u64) -> String {
        self.subject("call", &format!("{service}.{schema:016x}"))
    }

    pub(super) fn ready(&self, service: &str) -> String {
        self.subject("ready", service)
    }

    pub(super) fn query(&self, service: &str) -> String {
        self.subject("query", service)
    }

    pub(super) fn cancel(&self, host: HostId) -> String {
        self.subject("cancel", &host.to_string())
    }

    pub(super) fn schema(&self, host: HostId) -> String {
        self.subject("schema", &host.to_string())
    }

    /// Returns the prefix of all subjects of replies to a host, without the last dot.
    pub(super) fn inbox(&self, host: HostId) -> String {
        self.subject("inbox", &host.to_string())
    }

    /// Returns the subject of the reply to a call, and of the stream frames of its callee.
    pub(super) fn reply(&self, host: HostId, call: CallId) -> String {
        format!("{}.{call}", self.inbox(host))
    }

    /// Returns the subject of the reply to a schema query.
    pub(super) fn schema_reply(&self, host: HostId) -> String {
        format!("{}.{SCHEMA}", self.inbox(host))
    }

    /// Returns the subject on which a host forwards the last announcement of a peer to itself.
    pub(super) fn goodbye(&self, host: HostId) -> String {
        format!("{}.{GOODBYE}", self.inbox(host))
    }

    /// Returns the subject of the heartbeat of the streams that a host has opened.
    pub(super) fn open_streams_of_callee(&self, caller: HostId) -> String {
        format!("{}.{STREAMS}", self.inbox(caller))
    }

    /// Returns the subject of the heartbeat of the streams that a host serves.
    pub(super) fn open_streams_of_caller(&self, callee: HostId) -> String {
        format!("{}.{STREAMS}", self.chunks(callee))
    }

    /// Returns the subject on which a host receives its own messages.
    pub(super) fn echo(&self, host: HostId) -> String {
        format!("{}.{ECHO}", self.inbox(host))
    }

    /// Returns the prefix of all subjects of request chunks and stream frames to a host, without
    /// the last dot.
    pub(super) fn chunks(&self, host: HostId) -> String {
        self.subject("chunks", &host.to_string())
    }

    /// Returns the subject of the chunks of a request, and of the stream frames of its caller.
    pub(super) fn chunk(&self, host: HostId, call: CallId) -> String {
        format!("{}.{call}", self.chunks(host))
    }
}

impl Subjects {
    /// Splits a subject of the deployment into its verb and the rest; `None` for other subjects.
    pub(super) fn split<'s>(&self, subject: &'s str) -> Option<(&'s str, &'s str)> {
        subject
            .strip_prefix("parigot.")?
            .strip_prefix(&*self.app)?
            .strip_prefix('.')?
            .split_once('.')
    }

    /// Returns the pattern of a permission for a subject: wildcards replace the parts that differ
    /// from run to run.
    pub(super) fn pattern(&self, subject: &str) -> String {
        match self.split(subject) {
            Some((verb @ ("inbox" | "chunks" | "cancel" | "schema"), _)) => self.subject(verb, ">"),
            // The schema hash changes with each change of the `.proto` file.
            Some(("call", rest)) => {
                let service = rest.rsplit_once('.').map_or(rest, |(service, _)| service);
                self.subject("call", &format!("{service}.*"))
            }
            Some(_) => subject.to_owned(),
            None => {
                let first = subject.split('.').next().unwrap_or_default();
                format!("{first}.>")
            }
        }
    }
}

/// Returns the call id at the end of a subject.
pub(super) fn call_of(subject: &str) -> Option<CallId> {
    subject.rsplit('.').next()?.parse().ok()
}
