//! Statuses of calls that ended without a response, and the trait of services' own errors.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use parigot_abi::id::{CallId, InstanceId};
use parigot_abi::{Cause, Code, Detail, Fate, Frame};
use prost::{Message, Name};

use crate::answer::{HandlerError, OwnedDetail};
use crate::metadata::Metadata;

/// Next step after a message that cannot be decoded.
pub(crate) const COMPARE_SCHEMAS: &str =
    "run `parigot check` to compare the schemas of caller and callee";

/// The error type of a method: the error enum of its service, or [`Status`] for services without
/// one. The generator implements it.
pub trait ServiceError: core::error::Error + Sized + 'static {
    /// The type that handlers fail with: [`Failure<Self>`](crate::Failure), or [`Status`].
    type Failure: HandlerError + From<Self>;

    /// Returns the error with this number; `None` if this version of the `.proto` lacks it.
    fn from_number(number: i32) -> Option<Self>;

    /// Returns the number. 0 means no error: a service that fails with 0 fails with `INTERNAL`.
    fn number(&self) -> i32;

    /// Returns the gRPC code of the error: that of the option `(parigot.v1.error).code` of the enum
    /// value, else `FAILED_PRECONDITION`.
    fn code(&self) -> Code {
        Code::FailedPrecondition
    }
}

/// An infrastructure failure, which ended a call without a response or an error of the service: a
/// gRPC code, the cause, the place and a message.
///
/// Services that declare no error enum also return it as their error.
///
/// ```
/// use parigot_guest::{Code, Status};
///
/// let status = Status::new(Code::NotFound, "no such order");
/// assert_eq!(status.to_string(), "NOT_FOUND: no such order");
/// ```
#[derive(Clone, Debug)]
pub struct Status {
    /// Boxed, so that the result of a call has one word for the failure that it seldom is.
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
    details: Vec<OwnedDetail>,
    metadata: Metadata,
}

/// Names of a method and its service.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    pub(crate) service: &'static str,
    pub(crate) method: Cow<'static, str>,
}

impl Status {
    /// Creates a status with a code and a message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self::of(code, Cause::Unspecified, message.into())
    }

    fn of(code: Code, cause: Cause, message: String) -> Self {
        Status {
            details: Box::new(Details {
                code,
                cause,
                message,
                rpc: None,
                instance: InstanceId::EMPTY,
                call: CallId::EMPTY,
                details: Vec::new(),
                metadata: Metadata::EMPTY,
            }),
        }
    }

    /// Reads the status in a reply. A code of a newer host is read as [`Code::Unknown`].
    pub(crate) fn of_reply(frame: &Frame<'_>) -> Self {
        let Detail {
            cause,
            instance: (high, low),
            message,
            details,
        } = Detail::read(frame.detail);
        let code = Code::from_number(frame.header.status).unwrap_or(Code::Unknown);
        let mut status = Self::of(code, cause, message.into_owned());
        status.details.instance = InstanceId::from_wire(high, low).unwrap_or_default();
        status.details.details = details.iter().map(OwnedDetail::of).collect();
        status.details.metadata = Metadata::new(Vec::new(), frame.metadata);
        status.about(frame)
    }

    /// Creates the status of a call whose response cannot be decoded.
    pub(crate) fn undecodable(frame: &Frame<'_>, error: &prost::DecodeError) -> Self {
        let message = format!("the response cannot be decoded: {error}; {COMPARE_SCHEMAS}");
        Self::of(Code::Internal, Cause::AnswerLost, message).about(frame)
    }

    /// Creates the status of a call that streams a response that cannot be decoded.
    pub(crate) fn undecodable_item(error: &prost::DecodeError) -> Self {
        let message =
            format!("a response of the stream cannot be decoded: {error}; {COMPARE_SCHEMAS}");
        Self::of(Code::Internal, Cause::AnswerLost, message)
    }

    /// Creates the status of a call that this guest has cancelled.
    pub(crate) fn cancelled(message: &str) -> Self {
        Self::of(Code::Cancelled, Cause::Cancelled, message.into())
    }

    /// Creates the status of a call to a method that the service lacks.
    pub(crate) fn no_such_method(message: String) -> Self {
        Self::of(Code::Unimplemented, Cause::NoSuchMethod, message)
    }

    /// Creates the status of a call whose request is larger than the host accepts.
    pub(crate) fn too_large(bytes: usize, bytes_max: u32) -> Self {
        Self::of(
            Code::ResourceExhausted,
            Cause::TooLarge,
            too_long("request", bytes, bytes_max),
        )
    }

    /// Creates the status of a call that this guest has cancelled because a request of its stream
    /// is larger than the host accepts. Unlike [`Status::too_large`], the call may have begun.
    pub(crate) fn item_too_large(bytes: usize, bytes_max: u32) -> Self {
        Self::of(
            Code::ResourceExhausted,
            Cause::Cancelled,
            too_long("request", bytes, bytes_max),
        )
    }

    /// Creates the status of a call whose response is larger than the host accepts.
    pub(crate) fn answer_too_large(bytes: usize, bytes_max: u32) -> Self {
        Self::of(
            Code::ResourceExhausted,
            Cause::AnswerLost,
            too_long("response", bytes, bytes_max),
        )
    }

    /// Adds the id of the call that the reply belongs to.
    fn about(mut self, frame: &Frame<'_>) -> Self {
        let (high, low) = frame.header.id;
        self.details.call = CallId::from_wire(high, low).unwrap_or_default();
        self
    }

    /// Replaces the message.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.details.message = message.into();
        self
    }

    /// Adds a message for programs. The caller reads it by its type: see [`Status::details`].
    ///
    /// A status has room for 8 KiB. Details that do not fit are dropped, the last first.
    #[must_use]
    pub fn with_detail(mut self, detail: &impl Name) -> Self {
        self.details.details.push(OwnedDetail::new(detail));
        self
    }

    /// Returns the details of type `T`, in the callee's order. Details that cannot be decoded are
    /// left out.
    ///
    /// ```
    /// use parigot_guest::{Code, Status, prost_types};
    ///
    /// let pause = prost_types::Duration { seconds: 3, nanos: 0 };
    /// let status = Status::new(Code::Unavailable, "").with_detail(&pause);
    /// assert_eq!(status.details::<prost_types::Duration>(), [pause]);
    /// ```
    pub fn details<T: Message + Name + Default>(&self) -> Vec<T> {
        OwnedDetail::decode_all(&self.details.details)
    }

    pub(crate) fn all_details(&self) -> &[OwnedDetail] {
        &self.details.details
    }

    /// Returns the headers and trailers of the failed call; empty unless the status ended a call.
    pub fn metadata(&self) -> &Metadata {
        &self.details.metadata
    }

    pub(crate) fn set_headers(&mut self, headers: Vec<u8>) {
        self.details.metadata.set_headers(headers);
    }

    /// Adds the names of the called method.
    pub(crate) fn with_rpc(mut self, rpc: Rpc) -> Self {
        self.details.rpc = Some(rpc);
        self
    }

    /// Returns the code.
    pub fn code(&self) -> Code {
        self.details.code
    }

    /// Returns the cause of the failure.
    pub fn cause(&self) -> Cause {
        self.details.cause
    }

    /// Returns the message, possibly empty.
    pub fn message(&self) -> &str {
        &self.details.message
    }

    /// Returns the full name of the called service, `greeting.v1.Greeting`; `None` unless the
    /// status ended a call.
    pub fn service(&self) -> Option<&str> {
        self.details.rpc.as_ref().map(|rpc| rpc.service)
    }

    /// Returns the name of the called method, `FetchGreeting`; `None` unless the status ended a
    /// call.
    pub fn method(&self) -> Option<&str> {
        self.details.rpc.as_ref().map(|rpc| &*rpc.method)
    }

    /// Returns the id of the instance that had the call or refused it; empty if the call reached no
    /// instance.
    pub fn instance_id(&self) -> InstanceId {
        self.details.instance
    }

    /// Returns the id of the call, as in the log; empty for a call that was never sent.
    pub fn call_id(&self) -> CallId {
        self.details.call
    }

    /// Returns the fate of the call, which follows from the cause. Unless the status ended a call,
    /// the fate is [`Fate::Unknown`].
    pub fn fate(&self) -> Fate {
        self.cause().fate()
    }

    /// Returns true if the call's deadline has passed.
    pub fn is_timed_out(&self) -> bool {
        matches!(self.cause(), Cause::TimedOut | Cause::Expired)
    }

    /// Returns true if the call was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cause() == Cause::Cancelled
    }

    /// Returns true if the call did not run and never will, so that retrying it is safe.
    pub fn is_refused(&self) -> bool {
        self.fate() == Fate::Refused
    }

    /// Returns the message for the caller of a handler that failed with this status. If the status
    /// ended a nested call, its cause is not propagated as the cause: it becomes part of the text.
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

fn too_long(message: &str, bytes: usize, bytes_max: u32) -> String {
    format!("{message} of {bytes} bytes exceeds the limit of {bytes_max}")
}

/// Prints `CODE: cause: message (service/method, instance ins_dfhedm, call cal_…)`, without the
/// parts that are not known.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details {
            code,
            cause,
            message,
            rpc,
            instance,
            call,
            ..
        } = &*self.details;
        f.write_str(code.name())?;
        if !matches!(cause, Cause::Unspecified | Cause::Answered) {
            write!(f, ": {cause}")?;
        }
        if !message.is_empty() {
            write!(f, ": {message}")?;
        }
        let mut place = Parenthesized { begun: false };
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

/// Writer of a list in parentheses behind a text, or of nothing if the list is empty.
struct Parenthesized {
    begun: bool,
}

impl Parenthesized {
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
    type Failure = Status;

    fn from_number(number: i32) -> Option<Self> {
        let code = Code::from_number(u32::try_from(number).ok()?)?;
        Some(Status::new(code, String::new()))
    }

    fn number(&self) -> i32 {
        self.code().number() as i32
    }

    fn code(&self) -> Code {
        self.details.code
    }
}
