//! Errors: of calls, of locating, of launching, and one that holds any.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::error::Error as StdError;
use core::fmt;

use parigot_abi::Frame;
use parigot_abi::frame::flags;

use crate::Fate;
use crate::call::rpc;
use crate::serve::{Method, ServiceError};
use crate::status::{Rpc, Status};

/// Why a call was not answered with a response.
///
/// [`CallError::fate`] says what that means for the caller:
///
/// | fate | what it means | which errors |
/// |---|---|---|
/// | [`Fate::Answered`] | the service has said so | its own errors, and a status that its handler returned |
/// | [`Fate::Refused`] | the call did not run, and never will | no instance to take it, no such method, too much waits, the request is too long or no message |
/// | [`Fate::Unknown`] | it may have run | its deadline has passed, its callee ended meanwhile, the answer did not come through, and anything newer than this |
#[derive(Clone, Debug)]
pub enum CallError<E> {
    /// The callee answered with its own error.
    Service(E),
    /// The callee answered with an error number that this guest's `.proto` lacks.
    Unrecognized(i32),
    /// The callee did not answer.
    Status(Status),
}

impl<E> CallError<E> {
    /// The status, if the callee did not answer.
    pub fn status(&self) -> Option<&Status> {
        match self {
            CallError::Status(status) => Some(status),
            _ => None,
        }
    }

    /// What is known of the call: exactly one of three.
    pub fn fate(&self) -> Fate {
        self.status().map_or(Fate::Answered, Status::fate)
    }

    /// Whether its deadline has passed.
    pub fn is_timed_out(&self) -> bool {
        self.status().is_some_and(Status::is_timed_out)
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.status().is_some_and(Status::is_cancelled)
    }

    /// Whether it is promised that it did not run: making it again does nothing twice.
    pub fn is_refused(&self) -> bool {
        self.fate() == Fate::Refused
    }
}

impl<E: ServiceError> CallError<E> {
    /// What the reply to a call of that method says, which failed.
    #[cold]
    pub fn of_reply<M: Method<Error = E>>(frame: &Frame<'_>) -> Self {
        Self::of_frame(frame, rpc::<M>())
    }

    /// The same of a method by its names.
    pub(crate) fn of_frame(frame: &Frame<'_>, rpc: Rpc) -> Self {
        if frame.header.flags & flags::SERVICE_ERROR == 0 {
            return CallError::Status(Status::of_reply(frame).with_rpc(rpc));
        }
        let number = frame.header.status.cast_signed();
        E::from_number(number).map_or(CallError::Unrecognized(number), CallError::Service)
    }

    /// That the reply to a call of that method bears something else than its response.
    #[cold]
    pub fn undecodable<M: Method<Error = E>>(
        frame: &Frame<'_>,
        error: &prost::DecodeError,
    ) -> Self {
        CallError::Status(Status::undecodable(frame, error).with_rpc(rpc::<M>()))
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Service(error) => fmt::Display::fmt(error, f),
            CallError::Unrecognized(number) => write!(
                f,
                "the service failed with error {number}, which is not known"
            ),
            CallError::Status(status) => fmt::Display::fmt(status, f),
        }
    }
}

/// Its source is the service's error or the status, whose text is its own.
impl<E: StdError + 'static> StdError for CallError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            CallError::Service(error) => Some(error),
            CallError::Unrecognized(_) => None,
            CallError::Status(status) => Some(status),
        }
    }
}

/// A service that cannot be called from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocateError {
    service: String,
    problem: LocateProblem,
}

/// What is the matter with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LocateProblem {
    Undeclared,
    /// Looked for by its name alone.
    UndeclaredName,
    NotLaunched,
}

impl LocateError {
    pub(crate) fn new(service: &str, problem: LocateProblem) -> Self {
        LocateError {
            service: service.into(),
            problem,
        }
    }

    /// The full name of the service.
    pub fn service(&self) -> &str {
        &self.service
    }
}

impl fmt::Display for LocateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LocateError { service, problem } = self;
        match problem {
            LocateProblem::Undeclared => write!(
                f,
                "{service} is not among the services that this guest requires: \
                 name its client in the `requires(…)` of `service!` or `#[program]`"
            ),
            LocateProblem::UndeclaredName => write!(
                f,
                "{service} is not among the services that this guest requires: \
                 write `requires(\"{service}\")`, or its client there, in `service!` or `#[program]`"
            ),
            LocateProblem::NotLaunched => {
                write!(f, "{service} cannot be called before the guest is launched")
            }
        }
    }
}

impl StdError for LocateError {}

/// Any error, so that `?` takes all of them.
///
/// It prints its own line; with `{:#}`, or for debugging, also what caused it, from the outside in, with colons between.
pub struct Error {
    inner: Box<dyn StdError>,
}

impl Error {
    /// An error that is a text.
    pub fn new(message: impl Into<String>) -> Self {
        Error {
            inner: Box::new(Message(message.into())),
        }
    }

    /// The error and what caused it, from the outside in.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        core::iter::successors(Some(&*self.inner), |&error| error.source())
    }

    /// The first `E` in its [chain](Error::chain): a service's own error, or the [`Status`] of a call without one, whatever service that was for.
    pub fn find<E: StdError + 'static>(&self) -> Option<&E> {
        self.chain().find_map(|error| error.downcast_ref())
    }

    /// The error, if it is an `E`.
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
        // Some say what their cause says, and are there for their type.
        let mut texts: Vec<String> = self.chain().map(|error| error.to_string()).collect();
        texts.dedup();
        f.write_str(&texts.join(": "))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

/// Why a service cannot serve. Any error becomes one by `?`.
pub struct NotReady {
    reason: Error,
}

impl NotReady {
    /// A reason that is a text.
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

/// Prints as [`Error`] does.
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

/// An error that is a text.
#[derive(Debug)]
struct Message(String);

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Message {}
