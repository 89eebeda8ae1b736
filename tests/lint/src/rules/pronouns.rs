//! Rate of pronouns in Markdown prose.

use crate::checkout::Checkout;
use crate::markdown::Document;
use crate::violation::Violation;

/// Words that a reader must resolve.
const PRONOUNS: [&str; 13] = [
    "it", "its", "that", "those", "this", "these", "one", "ones", "which", "what", "who", "whom",
    "whose",
];
/// Pronouns that 100 words of prose may have.
const RATE_MAX: f64 = 5.0;
/// Words that a file must have to be measured.
const WORDS_MIN: usize = 120;

/// Finds Markdown files with more than [`RATE_MAX`] pronouns per 100 words of prose.
pub(super) fn check(checkout: &Checkout) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, text) in checkout.ending(&[".md"]) {
        let rate = rate(&Document::parse(text).prose);
        if rate > RATE_MAX {
            let message = format!(
                "{rate:.1} pronouns per 100 words of prose, at most {RATE_MAX} are allowed: use \
                 nouns for {}",
                PRONOUNS.join(", ")
            );
            violations.push(Violation::new(file, 1, message));
        }
    }
    violations
}

/// Returns the pronouns per 100 words, or 0 for a text that is too short to measure.
fn rate(prose: &str) -> f64 {
    let lower = prose.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphabetic() && c != '\'' && c != '’');
    let mut total = 0;
    let mut pronouns = 0;
    for word in words.filter(|word| !word.is_empty()) {
        // "it's" counts as "it".
        let stem = word.split(['\'', '’']).next().unwrap_or(word);
        total += 1;
        pronouns += usize::from(PRONOUNS.contains(&stem));
    }
    if total < WORDS_MIN {
        return 0.0;
    }
    100.0 * pronouns as f64 / total as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_pronouns(pronouns: usize) -> String {
        let filler = "word ".repeat(200 - pronouns);
        format!(
            "{}{filler}\n\n```text\n{}\n```\n",
            "It's ".repeat(pronouns),
            "it ".repeat(50)
        )
    }

    #[test]
    fn accepts_5_per_100_and_short_files() {
        let short = "it ".repeat(119);
        let files = [("a.md", with_pronouns(10)), ("b.md", short)];
        assert_eq!(
            check(&Checkout::of(
                &files.each_ref().map(|(f, t)| (*f, t.as_str()))
            )),
            []
        );
    }

    #[test]
    fn reports_more_than_5_per_100() {
        assert_eq!(
            check(&Checkout::of(&[("a.md", &with_pronouns(11))])).len(),
            1
        );
    }
}
