//! Place that breaks a rule.

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Path relative to the root of the checkout.
    pub(crate) file: String,
    /// Line number, from 1.
    pub(crate) line: usize,
    /// Found state and expected state.
    pub(crate) message: String,
    /// Further lines, printed indented below the message.
    pub(crate) details: Vec<String>,
}

impl Violation {
    /// Creates a violation without further lines.
    pub(crate) fn new(file: &str, line: usize, message: String) -> Self {
        let details = Vec::new();
        Violation {
            file: file.to_owned(),
            line,
            message,
            details,
        }
    }
}
