//! Failures that handlers return: an error of the service's enum or a status, with a message and
//! details.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use parigot_abi::frame::flags;
use parigot_abi::{Cause, Code, Detail, ErrorDetail};
use prost::{Message, Name};

use crate::error::{CallError, Error, LocateError};
use crate::metadata::Metadata;
use crate::status::{ServiceError, Status};

/// The failure of a handler: an error of the service's enum, or a [`Status`].
///
/// The generated enum converts to it, alone or with a message and details. So do a [`Status`] and
/// the errors of nested calls, so that `?` works on all of them:
///
/// ```
/// # mod greeting {
/// #     include!("../tests/behaviour/greeting.rs");
/// # }
/// # use greeting::*;
/// use parigot_guest::{Context, Failure};
///
/// # struct Greeter;
/// impl Greeting for Greeter {
///     async fn fetch_greeting(
///         &self,
///         cx: &Context,
///         request: FetchGreetingRequest,
///     ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
///         match request.tongue {
///             0 => Err(GreetErr::UnknownLang)?,
///             1 => Err(GreetErr::UnknownLang.with_message("no French today")),
///             _ => Ok(GreetingClient::locate(cx)?.fetch_greeting(request).await?),
///         }
///     }
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub enum Failure<E> {
    /// An error of the service's enum.
    Service(E, Extras),
    /// A status.
    Status(Status),
}

impl<E> Failure<E> {
    /// Sets the message for people.
    #[must_use]
    pub fn with_message(self, message: impl Into<String>) -> Self {
        match self {
            Failure::Service(error, mut extras) => {
                extras.get_mut().message = message.into();
                Failure::Service(error, extras)
            }
            Failure::Status(status) => Failure::Status(status.with_message(message)),
        }
    }

    /// Adds a message for programs. The caller reads it by its type.
    ///
    /// A failure has room for 8 KiB. Details that do not fit are dropped, the last first.
    #[must_use]
    pub fn with_detail(self, detail: &(impl Message + Name)) -> Self {
        match self {
            Failure::Service(error, mut extras) => {
                extras.get_mut().details.push(OwnedDetail::new(detail));
                Failure::Service(error, extras)
            }
            Failure::Status(status) => Failure::Status(status.with_detail(detail)),
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Service(error, extras) => extras.display(error, f),
            Failure::Status(status) => fmt::Display::fmt(status, f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for Failure<E> {}

/// An error enum of a service. The generator implements it; [`Status`], which is not an enum, does
/// not have it, so that both convert to a [`Failure`].
pub trait ErrorEnum: ServiceError {}

impl<E: ErrorEnum> From<E> for Failure<E> {
    fn from(error: E) -> Self {
        Failure::Service(error, Extras::default())
    }
}

impl<E> From<Status> for Failure<E> {
    fn from(status: Status) -> Self {
        Failure::Status(status)
    }
}

/// The caller receives the status of the nested call, or the nested error's code and text.
impl<E, X: ServiceError> From<CallError<X>> for Failure<E> {
    fn from(error: CallError<X>) -> Self {
        Failure::Status(error.into())
    }
}

impl<E> From<LocateError> for Failure<E> {
    fn from(error: LocateError) -> Self {
        Failure::Status(error.into())
    }
}

/// The first status in the chain counts, else the code is `UNKNOWN`.
impl<E> From<Error> for Failure<E> {
    fn from(error: Error) -> Self {
        Failure::Status(error.into())
    }
}

impl<X: ServiceError> From<CallError<X>> for Status {
    fn from(error: CallError<X>) -> Self {
        let code = error.code();
        match error {
            CallError::Status(status) => status,
            other => Status::new(code, other.to_string()),
        }
    }
}

impl From<LocateError> for Status {
    fn from(error: LocateError) -> Self {
        Status::new(Code::FailedPrecondition, error.to_string())
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error.find::<Status>() {
            Some(status) => status.clone(),
            None => Status::new(Code::Unknown, format!("{error:#}")),
        }
    }
}

/// Message, details and metadata beside an error of a service's enum. Often empty, and then it
/// takes no memory.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    content: Option<Box<Content>>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    message: String,
    details: Vec<OwnedDetail>,
    metadata: Metadata,
}

impl Extras {
    /// Reads the extras of a failed reply.
    pub(crate) fn of_reply(detail: Detail<'_>, trailers: &[u8]) -> Self {
        let mut extras = Extras::default();
        if !(detail.message.is_empty() && detail.details.is_empty() && trailers.is_empty()) {
            *extras.get_mut() = Content {
                message: detail.message.into_owned(),
                details: detail.details.iter().map(OwnedDetail::of).collect(),
                metadata: Metadata::new(Vec::new(), trailers),
            };
        }
        extras
    }

    pub(crate) fn set_headers(&mut self, headers: Vec<u8>) {
        self.get_mut().metadata.set_headers(headers);
    }

    fn get_mut(&mut self) -> &mut Content {
        self.content.get_or_insert_default()
    }

    /// Returns the message for people, possibly empty.
    pub fn message(&self) -> &str {
        self.content
            .as_ref()
            .map_or("", |content| content.message.as_str())
    }

    /// Returns the details of type `T`, in the callee's order. Details that cannot be decoded are
    /// left out.
    pub fn details<T: Message + Name + Default>(&self) -> Vec<T> {
        OwnedDetail::decode_all(self.all())
    }

    pub(crate) fn all(&self) -> &[OwnedDetail] {
        self.content
            .as_ref()
            .map_or(&[], |content| &content.details)
    }

    /// Returns the headers and trailers of the failed call.
    pub fn metadata(&self) -> &Metadata {
        static EMPTY: Metadata = Metadata::EMPTY;
        self.content
            .as_ref()
            .map_or(&EMPTY, |content| &content.metadata)
    }

    /// Writes an error and the message.
    pub(crate) fn display(
        &self,
        error: &dyn fmt::Display,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        write!(f, "{error}")?;
        match self.message() {
            "" => Ok(()),
            message => write!(f, ": {message}"),
        }
    }
}

/// A message for programs, in its wire form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnedDetail {
    type_name: String,
    value: Vec<u8>,
}

impl OwnedDetail {
    pub(crate) fn new<T: Message + Name>(detail: &T) -> Self {
        OwnedDetail {
            type_name: T::full_name(),
            value: detail.encode_to_vec(),
        }
    }

    pub(crate) fn of(detail: &ErrorDetail<'_>) -> Self {
        OwnedDetail {
            type_name: detail.type_name.clone().into_owned(),
            value: detail.value.into(),
        }
    }

    pub(crate) fn borrow(&self) -> ErrorDetail<'_> {
        ErrorDetail {
            type_name: Cow::Borrowed(&self.type_name),
            value: &self.value,
        }
    }

    /// Decodes the details of type `T`.
    pub(crate) fn decode_all<T: Message + Name + Default>(all: &[OwnedDetail]) -> Vec<T> {
        let name = T::full_name();
        all.iter()
            .filter(|detail| detail.type_name == name)
            .filter_map(|detail| T::decode(&*detail.value).ok())
            .collect()
    }
}

/// Types that a handler may fail with. The generator uses it; it cannot be implemented otherwise.
pub trait HandlerError: core::error::Error + 'static {
    /// Returns the failure as it is sent.
    #[doc(hidden)]
    fn answer(&self) -> Answer<'_>;
}

/// A failure as it is sent.
#[doc(hidden)]
#[derive(Debug)]
pub struct Answer<'a> {
    /// A number of the service's enum, or a code.
    pub(crate) status: AnswerStatus,
    pub(crate) message: Cow<'a, str>,
    pub(crate) details: &'a [OwnedDetail],
}

impl Answer<'_> {
    /// Returns true if the failure has the number 0, which is no error.
    pub fn is_zero(&self) -> bool {
        matches!(
            self.status,
            AnswerStatus::Error(0) | AnswerStatus::Code(Code::Ok)
        )
    }

    /// Returns flags, status and detail of the reply frame, for hosts of tests.
    pub fn reply_parts(&self) -> (u16, u32, Vec<u8>) {
        let detail = Detail {
            details: self.details.iter().map(OwnedDetail::borrow).collect(),
            ..Detail::new(Cause::Answered, &self.message)
        };
        let (flags, status) = match self.status {
            AnswerStatus::Error(number) => (flags::SERVICE_ERROR, number.cast_unsigned()),
            AnswerStatus::Code(code) => (0, code.number()),
        };
        let mut bytes = Vec::new();
        // The number of an error says all, unless there is a message or a detail.
        if flags == 0 || !detail.message.is_empty() || !detail.details.is_empty() {
            detail.write(&mut bytes);
        }
        (flags, status, bytes)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum AnswerStatus {
    Error(i32),
    Code(Code),
}

impl<E: ServiceError> HandlerError for Failure<E> {
    fn answer(&self) -> Answer<'_> {
        match self {
            Failure::Service(error, extras) => Answer {
                status: AnswerStatus::Error(error.number()),
                message: Cow::Borrowed(extras.message()),
                details: extras.all(),
            },
            Failure::Status(status) => status.answer(),
        }
    }
}

impl HandlerError for Status {
    fn answer(&self) -> Answer<'_> {
        Answer {
            status: AnswerStatus::Code(self.code()),
            message: self.answer_text(),
            details: self.all_details(),
        }
    }
}
