//! Length of source files.

use crate::checkout::Checkout;
use crate::violation::Violation;

/// Lines that a source file may have.
const LINES_MAX: usize = 500;

/// Finds hand-written Rust and Go files with more than [`LINES_MAX`] lines.
pub(super) fn check(checkout: &Checkout) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, text) in checkout.code() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            let message = format!("{lines} lines, at most {LINES_MAX} are allowed");
            violations.push(Violation::new(file, LINES_MAX + 1, message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_500_lines() {
        assert_eq!(check(&Checkout::of(&[("a.rs", &"x\n".repeat(500))])), []);
    }

    #[test]
    fn reports_501_lines() {
        let violations = check(&Checkout::of(&[("a_test.go", &"x\n".repeat(501))]));
        assert_eq!(violations[0].line, 501);
    }
}
