//! Warnings about `.proto` files for which code is generated.

use std::fmt;

use crate::error::Location;

/// Part of a `.proto` that has no effect. Its text is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Enum named `…Err` that no service and no field uses, beside a service without an error enum.
    UnusedErrorEnum {
        /// Name of the enum.
        name: String,
        /// Name of a service without an error enum.
        service: String,
        /// Names that an error enum of the service may have.
        expected: Vec<String>,
        /// The enum.
        at: Location,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::UnusedErrorEnum {
            name,
            service,
            expected,
            at,
        } = self;
        let expected = expected.join("` or `");
        write!(
            f,
            "{at}: enum {name} is the error of no service: for service {service}, rename the enum \
             to `{expected}` or write `option (parigot.v1.service).error = \"{name}\";` in the \
             service"
        )
    }
}
