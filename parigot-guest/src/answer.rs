//! Failures as they are sent, and their details.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use parigot_abi::frame::flags;
use parigot_abi::{Cause, Code, Detail, ErrorDetail};
use prost::{Message, Name};

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
