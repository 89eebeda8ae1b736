//! Message, details and metadata beside an error of a service's enum.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use parigot_abi::Detail;
use prost::{Message, Name};

use crate::answer::OwnedDetail;
use crate::metadata::Metadata;

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

    pub(crate) fn set_message(&mut self, message: String) {
        self.get_mut().message = message;
    }

    pub(crate) fn add_detail(&mut self, detail: OwnedDetail) {
        self.get_mut().details.push(detail);
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
