//! Errors of calls, of locating a service and of launching; and [`Error`], which holds any error.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::error::Error as StdError;
use core::fmt;

use parigot_abi::frame::flags;
use parigot_abi::{Code, Detail, Fate, Frame};
use prost::{Message, Name};

use crate::extras::Extras;
use crate::metadata::Metadata;
use crate::method::{Method, rpc};
use crate::status::{Rpc, ServiceError, Status};

/// Failure of a call.
///
/// [`CallError::fate`] tells if the call ran, and so if you may retry it:
///
/// - [`Fate::Answered`]: the service answered with an error, either its own or a status that its
///   handler returned.
/// - [`Fate::Refused`]: the call did not run, and never will. No instance was available, the method
///   is unknown, the callee is overloaded, the request was too large or undecodable, or the
///   deadline passed before the call began.
/// - [`Fate::Unknown`]: the call may have run. The deadline passed, the callee ended during the
///   call, the answer was lost, or the cause is one of a newer host.
#[derive(Clone, Debug)]
pub enum CallError<E> {
    /// The callee answered with its own error, and perhaps with a message and details.
    Service(E, Extras),
    /// The callee answered with an error number that this guest's `.proto` lacks.
    Unrecognized(i32, Extras),
    /// The callee did not answer.
    Status(Status),
}

impl<E> CallError<E> {
    /// Returns the status, if the callee did not answer.
    pub fn status(&self) -> Option<&Status> {
        match self {
            CallError::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Returns the service's own error, if the callee answered with one.
    pub fn service_error(&self) -> Option<&E> {
        match self {
            CallError::Service(error, _) => Some(error),
            _ => None,
        }
    }

    /// Returns the callee's message for people, possibly empty.
    pub fn message(&self) -> &str {
        match self {
            CallError::Service(_, extras) | CallError::Unrecognized(_, extras) => extras.message(),
            CallError::Status(status) => status.message(),
        }
    }

    /// Returns the details of type `T`, in the callee's order. Details that cannot be decoded are
    /// left out.
    pub fn details<T: Message + Name + Default>(&self) -> Vec<T> {
        match self {
            CallError::Service(_, extras) | CallError::Unrecognized(_, extras) => extras.details(),
            CallError::Status(status) => status.details(),
        }
    }

    /// Returns the headers and trailers of the failed call.
    pub fn metadata(&self) -> &Metadata {
        match self {
            CallError::Service(_, extras) | CallError::Unrecognized(_, extras) => extras.metadata(),
            CallError::Status(status) => status.metadata(),
        }
    }

    pub(crate) fn set_headers(&mut self, headers: Vec<u8>) {
        match self {
            CallError::Service(_, extras) | CallError::Unrecognized(_, extras) => {
                extras.set_headers(headers);
            }
            CallError::Status(status) => status.set_headers(headers),
        }
    }

    /// Returns the fate of the call: answered, refused or unknown.
    pub fn fate(&self) -> Fate {
        self.status().map_or(Fate::Answered, Status::fate)
    }

    /// Returns true if the call's deadline has passed.
    pub fn is_timed_out(&self) -> bool {
        self.status().is_some_and(Status::is_timed_out)
    }

    /// Returns true if the call was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.status().is_some_and(Status::is_cancelled)
    }

    /// Returns true if the call did not run and never will, so that retrying it is safe.
    pub fn is_refused(&self) -> bool {
        self.fate() == Fate::Refused
    }
}

impl<E: ServiceError> CallError<E> {
    /// Returns the gRPC code of the failure: see [`ServiceError::code`].
    pub fn code(&self) -> Code {
        match self {
            CallError::Service(error, _) => error.code(),
            CallError::Unrecognized(..) => Code::FailedPrecondition,
            CallError::Status(status) => status.code(),
        }
    }

    /// Reads the failure in the reply to a call of the method.
    #[cold]
    pub fn of_reply<M: Method<Error = E>>(frame: &Frame<'_>) -> Self {
        Self::of_frame(frame, rpc::<M>())
    }

    /// Reads the failure in the reply to a call of the method with these names.
    pub(crate) fn of_frame(frame: &Frame<'_>, rpc: Rpc) -> Self {
        if frame.header.flags & flags::SERVICE_ERROR == 0 {
            return CallError::Status(Status::of_reply(frame).with_rpc(rpc));
        }
        let number = frame.header.status.cast_signed();
        let extras = Extras::of_reply(Detail::read(frame.detail), frame.metadata);
        match E::from_number(number) {
            Some(error) => CallError::Service(error, extras),
            None => CallError::Unrecognized(number, extras),
        }
    }

    /// Creates the error of a call whose response cannot be decoded.
    #[cold]
    pub fn undecodable<M: Method<Error = E>>(
        frame: &Frame<'_>,
        error: &prost::DecodeError,
    ) -> Self {
        CallError::Status(Status::undecodable(frame, error).with_rpc(rpc::<M>()))
    }
}

/// Adds the headers of a failed call to its error.
#[cold]
pub(crate) fn with_headers<T, E>(
    mut result: Result<T, CallError<E>>,
    headers: Vec<u8>,
) -> Result<T, CallError<E>> {
    if let Err(error) = &mut result {
        error.set_headers(headers);
    }
    result
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Service(error, extras) => extras.display(error, f),
            CallError::Unrecognized(number, extras) => {
                extras.display(&format_args!("unknown error number {number}"), f)
            }
            CallError::Status(status) => fmt::Display::fmt(status, f),
        }
    }
}

/// The source is the service's error or the status. The text of this error begins with its text.
impl<E: StdError + 'static> StdError for CallError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            CallError::Service(error, _) => Some(error),
            CallError::Unrecognized(..) => None,
            CallError::Status(status) => Some(status),
        }
    }
}

/// Failure to locate a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocateError {
    service: String,
    problem: LocateProblem,
    /// Name of the binding, or empty.
    binding: String,
    /// Names under which the guest requires the service. An empty name is a requirement without a
    /// name.
    required_as: Vec<&'static str>,
}

/// Reason of a [`LocateError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocateProblem {
    Undeclared,
    /// Undeclared, and located by the name of the service.
    UndeclaredName,
    NotLaunched,
}

impl LocateError {
    pub(crate) fn new(service: &str, problem: LocateProblem) -> Self {
        LocateError {
            service: service.into(),
            problem,
            binding: String::new(),
            required_as: Vec::new(),
        }
    }

    /// Adds the name of the binding, and the names under which the guest requires the service.
    pub(crate) fn of_binding(self, binding: &str, required_as: Vec<&'static str>) -> Self {
        LocateError {
            binding: binding.into(),
            required_as,
            ..self
        }
    }

    /// Prints that no requirement has the name, which the other requirements are, and what to
    /// write.
    fn wrong_binding(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LocateError {
            service, binding, ..
        } = self;
        write!(f, "{service} is not required {}", RequiredAs(binding))?;
        for (index, name) in self.required_as.iter().enumerate() {
            let before = if index == 0 { ", but" } else { ", or" };
            write!(f, "{before} {}", RequiredAs(name))?;
        }
        match self.required_as[..] {
            [] => f.write_str(": ")?,
            ["", ..] => f.write_str(": call `locate(&cx)`, or ")?,
            [name, ..] => write!(f, ": call `locate_named(&cx, {name:?})`, or ")?,
        }
        if binding.is_empty() {
            f.write_str("require the client without `as` in `service!` or `#[program]`")
        } else {
            write!(
                f,
                "write `requires(… as {binding:?})` in `service!` or `#[program]`"
            )
        }
    }

    /// Returns the full name of the service.
    pub fn service(&self) -> &str {
        &self.service
    }
}

impl fmt::Display for LocateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LocateError {
            service, problem, ..
        } = self;
        match problem {
            LocateProblem::Undeclared | LocateProblem::UndeclaredName
                if !self.binding.is_empty() || !self.required_as.is_empty() =>
            {
                self.wrong_binding(f)
            }
            LocateProblem::Undeclared => write!(
                f,
                "{service} is not among the services that this guest requires: \
                 name its client in the `requires(…)` of `service!` or `#[program]`"
            ),
            LocateProblem::UndeclaredName => write!(
                f,
                "{service} is not among the services that this guest requires: \
                 write `requires(\"{service}\")`, or its client there, \
                 in `service!` or `#[program]`"
            ),
            LocateProblem::NotLaunched => write!(
                f,
                "{service} cannot be called before the guest is launched: \
                 write `cx.launch().await?` before this call"
            ),
        }
    }
}

impl StdError for LocateError {}

/// Name of a requirement in a sentence; an empty name is a requirement without a name.
struct RequiredAs<'a>(&'a str);

impl fmt::Display for RequiredAs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("without a name"),
            name => write!(f, "as {name:?}"),
        }
    }
}

/// Any error, so that `?` converts all errors to it.
///
/// `{}` prints the error alone. `{:#}` and `{:?}` also print its causes, the outermost first, with
/// colons in between.
///
/// ```
/// use parigot_guest::{Code, Error, Status};
///
/// fn order() -> Result<(), Error> {
///     Err(Status::new(Code::NotFound, "no such order"))?
/// }
///
/// let error = order().unwrap_err();
/// assert_eq!(error.find::<Status>().map(Status::code), Some(Code::NotFound));
/// ```
pub struct Error {
    inner: Box<dyn StdError>,
}

impl Error {
    /// Creates an error from a text.
    pub fn new(message: impl Into<String>) -> Self {
        Error {
            inner: Box::new(TextError(message.into())),
        }
    }

    /// Returns the error and its causes, the outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        core::iter::successors(Some(&*self.inner), |&error| error.source())
    }

    /// Returns the first `E` in the [chain](Error::chain), for example a service's own error or the
    /// [`Status`] of a call.
    pub fn find<E: StdError + 'static>(&self) -> Option<&E> {
        self.chain().find_map(|error| error.downcast_ref())
    }

    /// Returns the error, if it is an `E`.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.inner.downcast_ref()
    }
}

impl<E: StdError + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Error {
            inner: Box::new(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return write!(f, "{}", self.inner);
        }
        // Wrappers like `CallError` begin with the text of their cause.
        let mut texts: Vec<String> = self.chain().map(|error| error.to_string()).collect();
        texts.dedup_by(|cause, wrapper| wrapper.starts_with(&**cause));
        f.write_str(&texts.join(": "))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

/// The reason why a service cannot serve. `?` converts any error to it.
pub struct NotReady {
    reason: Error,
}

impl NotReady {
    /// Creates a reason from a text.
    pub fn new(message: impl Into<String>) -> Self {
        NotReady {
            reason: Error::new(message),
        }
    }
}

impl<E: StdError + 'static> From<E> for NotReady {
    fn from(error: E) -> Self {
        NotReady {
            reason: error.into(),
        }
    }
}

/// Prints like [`Error`].
impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.reason, f)
    }
}

impl fmt::Debug for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.reason, f)
    }
}

/// An error that is only a text.
#[derive(Debug)]
struct TextError(String);

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for TextError {}
