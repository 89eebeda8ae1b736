//! Phrases that plain technical English does without.

use crate::checkout::Checkout;
use crate::violation::Violation;

/// Endings of the files that are searched.
const ENDINGS: [&str; 6] = [".rs", ".go", ".md", ".toml", ".proto", "Makefile"];

/// Forbidden phrases in lower case, each split so that this file does not contain them.
const PHRASES: [&str; 8] = [
    concat!("who", "ever"),
    concat!("no", "body"),
    concat!("some", "body"),
    concat!("made", " ", "anew"),
    concat!("for", " ", "good"),
    concat!("is", " ", "told"),
    concat!("last", " ", "words"),
    concat!("roo", "ms"),
];

/// Finds forbidden phrases, also those that continue on the next line.
pub(super) fn check(checkout: &Checkout) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, text) in checkout.ending(&ENDINGS) {
        for (line, phrase) in find(text) {
            let message = format!("found \"{phrase}\", expected plain technical wording");
            violations.push(Violation::new(file, line, message));
        }
    }
    violations
}

/// Returns the forbidden phrases in `text` with their lines.
fn find(text: &str) -> Vec<(usize, &'static str)> {
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    for phrase in PHRASES {
        let first = phrase.split(' ').next().unwrap_or(phrase);
        for (at, _) in lower.match_indices(first) {
            let starts_word = !lower[..at].ends_with(is_word);
            if starts_word && matches(&lower[at..], phrase) {
                let line = 1 + lower[..at].matches('\n').count();
                found.push((line, phrase));
            }
        }
    }
    found
}

/// Compares the beginning of `text` with `phrase`, with any space or comment marks between words.
fn matches(text: &str, phrase: &str) -> bool {
    let mut rest = text;
    for (number, word) in phrase.split(' ').enumerate() {
        if number > 0 {
            rest = rest.trim_start_matches(is_gap);
        }
        match rest.strip_prefix(word) {
            Some(after) if !after.starts_with(is_word) => rest = after,
            _ => return false,
        }
    }
    true
}

/// Recognises the characters between two words: spaces, line breaks and comment marks.
fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, '/' | '!' | '#' | '>' | '*')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_words_and_parts_of_words() {
        let text = concat!("for goods, head", "roo", "ms, roo", "ms_left");
        assert_eq!(find(text), []);
    }

    #[test]
    fn reports_a_phrase_in_each_kind_of_file() {
        for file in ["a.rs", "a.go", "a.md", "a.toml", "a.proto", "x/Makefile"] {
            let text = concat!("\n# No", "body knows.");
            assert_eq!(
                check(&Checkout::of(&[(file, text)])).len(),
                1,
                "{file} must be searched"
            );
        }
    }

    #[test]
    fn reports_a_phrase_across_lines_at_its_first_line() {
        assert_eq!(find("x\n/// gone for\n/// good"), [(2, PHRASES[4])]);
    }
}
