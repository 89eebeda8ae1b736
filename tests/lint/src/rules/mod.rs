//! Rules, one module each. Every rule reads the checkout and returns its violations.

mod cycles;
mod file_length;
mod function_length;
mod links;
mod phrases;
mod pronouns;
mod summaries;
mod width;

use crate::checkout::Checkout;
use crate::violation::Violation;

/// Function that checks one rule.
type Rule = fn(&Checkout) -> Vec<Violation>;

/// All rules with the names under which their violations are printed.
pub(crate) const ALL: [(&str, Rule); 8] = [
    ("line-width", width::check),
    ("forbidden-phrase", phrases::check),
    ("comment-start", summaries::check),
    ("pronoun-rate", pronouns::check),
    ("link", links::check),
    ("file-length", file_length::check),
    ("function-length", function_length::check),
    ("import-cycle", cycles::check),
];
