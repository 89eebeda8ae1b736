//! Failures that handlers return: an error of the service's enum or a status, with a message and
//! details.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use parigot_abi::Code;
use parigot_abi::id::IdError;
use prost::Name;

use crate::answer::{Answer, AnswerStatus, HandlerError, OwnedDetail};
use crate::error::{CallError, Error, LocateError};
use crate::extras::Extras;
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
                extras.set_message(message.into());
                Failure::Service(error, extras)
            }
            Failure::Status(status) => Failure::Status(status.with_message(message)),
        }
    }

    /// Adds a message for programs. The caller reads it by its type.
    ///
    /// A failure has room for 8 KiB. Details that do not fit are dropped, the last first.
    #[must_use]
    pub fn with_detail(self, detail: &impl Name) -> Self {
        match self {
            Failure::Service(error, mut extras) => {
                extras.add_detail(OwnedDetail::new(detail));
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

/// The code is `INVALID_ARGUMENT`: the request has no id, or an id of another type.
impl<E> From<IdError> for Failure<E> {
    fn from(error: IdError) -> Self {
        Failure::Status(error.into())
    }
}

/// The first status in the chain counts, else the code is `UNKNOWN`.
impl<E> From<Error> for Failure<E> {
    fn from(error: Error) -> Self {
        Failure::Status(error.into())
    }
}

/// The failure as the caller receives it, for tests of code that handles failed calls.
impl<E> From<Failure<E>> for CallError<E> {
    fn from(failure: Failure<E>) -> Self {
        match failure {
            Failure::Service(error, extras) => CallError::Service(error, extras),
            Failure::Status(status) => CallError::Status(status),
        }
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

impl From<IdError> for Status {
    fn from(error: IdError) -> Self {
        Status::new(Code::InvalidArgument, error.to_string())
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
