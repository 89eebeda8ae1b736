//! Errors of services without generated code.

use core::fmt;

use crate::failure::{ErrorEnum, Failure};
use crate::status::ServiceError;

/// A number of a service's error enum, whose names are not known without generated code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorNumber(pub i32);

impl fmt::Display for ErrorNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service failed with error {}", self.0)
    }
}

impl core::error::Error for ErrorNumber {}

impl ErrorEnum for ErrorNumber {}

impl ServiceError for ErrorNumber {
    type Failure = Failure<Self>;

    fn from_number(number: i32) -> Option<Self> {
        Some(ErrorNumber(number))
    }

    fn number(&self) -> i32 {
        self.0
    }
}
