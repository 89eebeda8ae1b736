//! First words of comment paragraphs.

use crate::checkout::Checkout;
use crate::lexer::{Comment, Language, lex};
use crate::violation::Violation;

/// Words that would make the first sentence a free relative clause.
const RELATIVES: [&str; 8] = [
    "What",
    "Who",
    "Whom",
    "Whether",
    concat!("Who", "ever"),
    "How",
    "Where",
    "Why",
];

/// Finds comment paragraphs of Rust and Go that begin with a free relative clause.
///
/// Covers doc comments as well as plain ones, and generated Go, whose comments come from
/// hand-written `.proto` files.
pub(super) fn check(checkout: &Checkout) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (file, text) in checkout.ending(&[".rs", ".go"]) {
        for comment in paragraphs(&lex(text, Language::of(file)).comments) {
            let content = content(comment.text);
            let word = content
                .split(|c: char| !c.is_alphanumeric())
                .next()
                .unwrap_or_default();
            if RELATIVES.contains(&word) {
                let message = format!(
                    "the comment begins with \"{word}\", expected a verb (\"Returns …\") for a \
                     function or a noun phrase"
                );
                violations.push(Violation::new(file, comment.line, message));
            }
        }
    }
    violations
}

/// Returns the first line of each paragraph, without code blocks in doc comments.
fn paragraphs<'a>(comments: &[Comment<'a>]) -> Vec<Comment<'a>> {
    let mut first = Vec::new();
    let mut previous: Option<Comment<'a>> = None;
    let mut in_code = false;
    for &comment in comments {
        let continues = previous.is_some_and(|previous| {
            previous.alone
                && comment.alone
                && previous.line + 1 == comment.line
                && marker(previous.text) == marker(comment.text)
        });
        if !continues {
            in_code = false;
        }
        let is_fence = content(comment.text).starts_with("```");
        let after_blank = previous.is_none_or(|previous| content(previous.text).is_empty());
        if !in_code && !is_fence && (!continues || after_blank) {
            first.push(comment);
        }
        in_code ^= is_fence;
        previous = Some(comment);
    }
    first
}

/// Returns the characters that begin the comment.
fn marker(comment: &str) -> &str {
    ["///", "//!"]
        .into_iter()
        .find(|marker| comment.starts_with(marker))
        .unwrap_or("//")
}

/// Returns the text after the marker.
fn content(comment: &str) -> &str {
    comment[marker(comment).len()..].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(file: &str, text: &str) -> Vec<usize> {
        check(&Checkout::of(&[(file, text)]))
            .iter()
            .map(|violation| violation.line)
            .collect()
    }

    #[test]
    fn accepts_verbs_nouns_and_later_lines() {
        let text = "/// Returns the place.\n/// Where is no first word here.\n\n\
                    /// However.\n///\n/// ```text\n/// What\n/// ```\nfn f() { \"// What\" }\n";
        assert_eq!(lines("a.rs", text), []);
    }

    #[test]
    fn reports_doc_comments_and_plain_comments() {
        let text = "//! What it is.\n\n/// Returns x.\n///\n/// Where it is.\nfn f() {\n\
                    // Who calls.\n// More.\n//\n// How.\nlet x; // Why this.\n}\n";
        assert_eq!(lines("a.rs", text), [1, 5, 7, 10, 11]);
    }

    #[test]
    fn reports_comments_of_go() {
        assert_eq!(lines("a.go", "// Whether it runs.\nfunc f() {}\n"), [1]);
    }
}
