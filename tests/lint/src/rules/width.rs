//! Width of lines of code.

use crate::checkout::Checkout;
use crate::violation::Violation;

/// Columns that a line may take.
const COLUMNS_MAX: usize = 100;
/// Distance of tab stops in columns.
const TAB: usize = 4;

/// Finds lines of hand-written Rust and Go that are wider than [`COLUMNS_MAX`].
pub(super) fn check(checkout: &Checkout) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, text) in checkout.code() {
        for (number, line) in (1..).zip(text.lines()) {
            let columns = width(line);
            if columns > COLUMNS_MAX {
                let message = format!("{columns} columns, at most {COLUMNS_MAX} are allowed");
                violations.push(Violation::new(file, number, message));
            }
        }
    }
    violations
}

fn width(line: &str) -> usize {
    line.chars().fold(0, |column, next| match next {
        '\t' => (column / TAB + 1) * TAB,
        _ => column + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_100_columns() {
        let rust = "é".repeat(100);
        let go = format!("\t{}", "x".repeat(96));
        assert_eq!(check(&Checkout::of(&[("a.rs", &rust), ("b.go", &go)])), []);
    }

    #[test]
    fn reports_101_columns() {
        let rust = format!("\n{}", "x".repeat(101));
        let go = format!("ab\t{}", "x".repeat(97));
        let violations = check(&Checkout::of(&[("a.rs", &rust), ("b.go", &go)]));
        let places: Vec<_> = violations
            .iter()
            .map(|v| (v.file.as_str(), v.line))
            .collect();
        assert_eq!(places, [("a.rs", 2), ("b.go", 1)]);
    }
}
