//! Answers of providers.

use parigot_abi::{Cause, Code, Detail};
use parigot_guest::prost::Message;
use parigot_guest::{HandlerError, Method, ServiceError};

use crate::error::Failure;

/// Answer to a call, encoded.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) flags: u16,
    pub(super) status: u32,
    pub(super) detail: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

impl Answer {
    /// Creates the answer of a method: its response, or an error of the service.
    ///
    /// # Panics
    ///
    /// If the error's number is 0, which stands for success.
    pub fn of<M: Method>(
        result: Result<M::Response, impl Into<<M::Error as ServiceError>::Failure>>,
    ) -> Self {
        match result {
            Ok(response) => Answer {
                flags: 0,
                status: 0,
                detail: Vec::new(),
                payload: response.encode_to_vec(),
            },
            Err(error) => {
                let failure = error.into();
                let answer = failure.answer();
                assert!(!answer.is_zero(), "`{failure}` has the number 0");
                let (flags, status, detail) = answer.reply_parts();
                Answer {
                    flags,
                    status,
                    detail,
                    payload: Vec::new(),
                }
            }
        }
    }

    /// Creates the answer `UNAVAILABLE` to a call that had no effect and never will (fate:
    /// refused).
    pub fn refused(message: &str) -> Self {
        Answer::status(Code::Unavailable, Cause::Unreachable, message)
    }

    /// Creates the answer `UNAVAILABLE` to a call that may have had an effect (fate: unknown).
    pub fn unknown(message: &str) -> Self {
        Answer::status(Code::Unavailable, Cause::AnswerLost, message)
    }

    /// Creates the answer `UNIMPLEMENTED` to a call of a method that the provider does not serve.
    pub fn unimplemented(message: &str) -> Self {
        Answer::status(Code::Unimplemented, Cause::NoSuchMethod, message)
    }

    /// Creates the answer `PERMISSION_DENIED`.
    pub(super) fn denied(message: &str) -> Self {
        Answer::status(Code::PermissionDenied, Cause::Answered, message)
    }

    fn status(code: Code, cause: Cause, message: &str) -> Self {
        let mut detail = Vec::new();
        Detail::new(cause, message).write(&mut detail);
        Answer {
            flags: 0,
            status: code.number(),
            detail,
            payload: Vec::new(),
        }
    }
}

impl From<&Failure> for Answer {
    fn from(failure: &Failure) -> Self {
        let (status, detail) = failure.to_parts();
        Answer {
            flags: 0,
            status,
            detail,
            payload: Vec::new(),
        }
    }
}
