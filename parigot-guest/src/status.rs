//! How calls end that have no response.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use parigot_abi::{Detail, Frame};

use crate::id::{CallId, InstanceId};
use crate::serve::ServiceError;
use crate::{Cause, Code, Fate};

/// The end of a call that has no response and no error of the service's own: a gRPC code, what happened, where, and a text for people.
///
/// It is also the error type of services that declare none.
#[derive(Clone, Debug)]
pub struct Status {
    /// Elsewhere, so that a call that goes well carries one word of it.
    details: Box<Details>,
}

#[derive(Clone, Debug)]
struct Details {
    code: Code,
    cause: Cause,
    message: String,
    rpc: Option<Rpc>,
    instance: InstanceId,
    call: CallId,
}

/// A method of a service, by names.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    pub(crate) service: &'static str,
    pub(crate) method: Cow<'static, str>,
}

impl Status {
    /// A status of that code and text.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self::of(code, Cause::Unspecified, message.into())
    }

    fn of(code: Code, cause: Cause, message: String) -> Self {
        let (rpc, instance, call) = (None, InstanceId::EMPTY, CallId::EMPTY);
        Status {
            details: Box::new(Details {
                code,
                cause,
                message,
                rpc,
                instance,
                call,
            }),
        }
    }

    /// What a reply's frame says. A code that this version does not know is read as [`Code::Unknown`].
    pub(crate) fn of_reply(frame: &Frame<'_>) -> Self {
        let Detail {
            cause,
            instance: (high, low),
            message,
        } = Detail::read(frame.detail);
        let code = Code::from_number(frame.header.status).unwrap_or(Code::Unknown);
        let mut status = Self::of(code, cause, message.into_owned());
        status.details.instance = InstanceId::from_wire(high, low).unwrap_or_default();
        status.about(frame)
    }

    /// That the response in a reply is no message.
    pub(crate) fn undecodable(frame: &Frame<'_>, error: &prost::DecodeError) -> Self {
        let message = format!("the response cannot be decoded: {error}");
        Self::of(Code::Internal, Cause::AnswerLost, message).about(frame)
    }

    /// That nobody has the method.
    pub(crate) fn no_such_method(message: String) -> Self {
        Self::of(Code::Unimplemented, Cause::NoSuchMethod, message)
    }

    /// That a request is longer than the host lets through.
    pub(crate) fn too_large(bytes: usize, bytes_max: u32) -> Self {
        Self::of(
            Code::ResourceExhausted,
            Cause::TooLarge,
            too_long(bytes, bytes_max),
        )
    }

    /// That a response is.
    pub(crate) fn answer_too_large(bytes: usize, bytes_max: u32) -> Self {
        Self::of(
            Code::ResourceExhausted,
            Cause::AnswerLost,
            too_long(bytes, bytes_max),
        )
    }

    /// The same about the call whose reply that is.
    fn about(mut self, frame: &Frame<'_>) -> Self {
        let (high, low) = frame.header.id;
        self.details.call = CallId::from_wire(high, low).unwrap_or_default();
        self
    }

    /// The same with what was called.
    pub(crate) fn with_rpc(mut self, rpc: Rpc) -> Self {
        self.details.rpc = Some(rpc);
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.details.code
    }

    /// What happened to the call.
    pub fn cause(&self) -> Cause {
        self.details.cause
    }

    /// The text, possibly empty.
    pub fn message(&self) -> &str {
        &self.details.message
    }

    /// The full name of the service that was called, `greeting.v1.Greeting`; `None` of what is not the end of a call.
    pub fn service(&self) -> Option<&str> {
        self.details.rpc.as_ref().map(|rpc| rpc.service)
    }

    /// The name of the method that was called, `FetchGreeting`; `None` of what is not the end of a call.
    pub fn method(&self) -> Option<&str> {
        self.details.rpc.as_ref().map(|rpc| &*rpc.method)
    }

    /// The id of the instance that had the call or refused it; empty for a call that came to none.
    pub fn instance_id(&self) -> InstanceId {
        self.details.instance
    }

    /// The id of the call, as the log shows it; empty for a call that never left the guest.
    pub fn call_id(&self) -> CallId {
        self.details.call
    }

    /// What is known of the call. Of a status that is not the end of a call nothing is.
    pub fn fate(&self) -> Fate {
        self.cause().fate()
    }

    /// Whether the call's deadline has passed.
    pub fn is_timed_out(&self) -> bool {
        self.cause() == Cause::TimedOut
    }

    /// Whether the call was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cause() == Cause::Cancelled
    }

    /// Whether it is promised that the call did not run: making it again does nothing twice.
    pub fn is_refused(&self) -> bool {
        self.fate() == Fate::Refused
    }

    /// What a caller is told whose handler has ended with this status: what happened to another call is no cause of his.
    pub(crate) fn answer_text(&self) -> Cow<'_, str> {
        if self.cause() == Cause::Unspecified {
            return Cow::Borrowed(self.message());
        }
        let text = self.to_string();
        Cow::Owned(
            text[self.code().name().len()..]
                .trim_start_matches(": ")
                .into(),
        )
    }
}

fn too_long(bytes: usize, bytes_max: u32) -> String {
    format!("a message of {bytes} bytes, and at most {bytes_max} are let through")
}

/// `DEADLINE_EXCEEDED: timed out: it was not answered in time (greeting.v1.Greeting/FetchGreeting, instance ins_dfhedm, call cal_…)`, less what is
/// not known.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details {
            code,
            cause,
            message,
            rpc,
            instance,
            call,
        } = &*self.details;
        f.write_str(code.name())?;
        if !matches!(cause, Cause::Unspecified | Cause::Answered) {
            write!(f, ": {cause}")?;
        }
        if !message.is_empty() {
            write!(f, ": {message}")?;
        }
        let mut place = Place { begun: false };
        if let Some(Rpc { service, method }) = rpc {
            place.add(f, format_args!("{service}/{method}"))?;
        }
        if !instance.is_empty() {
            place.add(f, format_args!("instance {}", instance.short()))?;
        }
        if !call.is_empty() {
            place.add(f, format_args!("call {call}"))?;
        }
        place.end(f)
    }
}

/// What stands in brackets behind a text, if anything does.
struct Place {
    begun: bool,
}

impl Place {
    fn add(&mut self, f: &mut fmt::Formatter<'_>, part: fmt::Arguments<'_>) -> fmt::Result {
        let before = if self.begun { ", " } else { " (" };
        self.begun = true;
        write!(f, "{before}{part}")
    }

    fn end(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.begun { f.write_str(")") } else { Ok(()) }
    }
}

impl core::error::Error for Status {}

impl ServiceError for Status {
    fn from_number(number: i32) -> Option<Self> {
        let code = Code::from_number(u32::try_from(number).ok()?)?;
        Some(Status::new(code, String::new()))
    }

    fn number(&self) -> i32 {
        self.code().number() as i32
    }

    fn as_status(&self) -> Option<&Status> {
        Some(self)
    }
}
