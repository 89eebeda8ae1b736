//! How calls end that their callee did not answer.

use alloc::string::String;
use core::fmt;

use parigot_abi::Frame;
use parigot_abi::status::Detail;

use crate::id::CallId;
use crate::serve::ServiceError;
use crate::{Cause, Code};

/// The end of a call that the callee did not answer: a gRPC code, what happened, and a text for people.
///
/// It is also the error type of services that declare none.
#[derive(Clone, Debug)]
pub struct Status {
    code: Code,
    cause: Cause,
    message: String,
    call: CallId,
}

impl Status {
    /// A status of that code and text.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Status { code, cause: Cause::Unspecified, message: message.into(), call: CallId::EMPTY }
    }

    /// The same with what happened.
    #[must_use]
    pub fn with_cause(self, cause: Cause) -> Self {
        Status { cause, ..self }
    }

    /// What a reply's frame says. A code that this version does not know is read as [`Code::Unknown`].
    pub(crate) fn of_reply(frame: &Frame<'_>) -> Self {
        let Detail { cause, message } = Detail::read(frame.detail);
        let code = Code::from_number(frame.header.status).unwrap_or(Code::Unknown);
        Status { code, cause, message, call: call_id(frame) }
    }

    /// That the response in a reply is no message.
    pub(crate) fn undecodable(frame: &Frame<'_>, error: &prost::DecodeError) -> Self {
        let message = alloc::format!("the response cannot be decoded: {error}");
        Status { code: Code::Internal, cause: Cause::Undecodable, message, call: call_id(frame) }
    }

    /// That a message is longer than the host lets through.
    pub(crate) fn too_large(bytes: usize, bytes_max: u32) -> Self {
        let message = alloc::format!("a message of {bytes} bytes, and at most {bytes_max} are let through");
        Status::new(Code::ResourceExhausted, message).with_cause(Cause::TooLarge)
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// The text, possibly empty.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The id of the call, as the log shows it; empty for a call that never left the guest.
    pub fn call_id(&self) -> CallId {
        self.call
    }
}

fn call_id(frame: &Frame<'_>) -> CallId {
    let (high, low) = frame.header.id;
    CallId::from_wire(high, low).unwrap_or_default()
}

/// `DEADLINE_EXCEEDED: timed out: no answer after 3s (call cal_…)`, less what is not known.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.name())?;
        if self.cause != Cause::Unspecified {
            write!(f, ": {}", self.cause)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if !self.call.is_empty() {
            write!(f, " (call {})", self.call)?;
        }
        Ok(())
    }
}

impl core::error::Error for Status {}

impl ServiceError for Status {
    fn from_number(number: i32) -> Option<Self> {
        let code = Code::from_number(u32::try_from(number).ok()?)?;
        Some(Status::new(code, String::new()))
    }

    fn number(&self) -> i32 {
        self.code.number() as i32
    }

    fn as_status(&self) -> Option<&Status> {
        Some(self)
    }
}
