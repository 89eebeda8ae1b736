//! Lines of Markdown and of Go documentation.

use std::borrow::Cow;

/// The text of a heading of Markdown.
pub(super) fn heading(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches('#');
    let marked = (1..=6).contains(&(text.len() - rest.len())) && rest.starts_with(' ');
    Some(rest.trim()).filter(|heading| marked && !heading.is_empty())
}

/// The number, if it has one, and the text of what begins as an item of a list does.
pub(super) fn marker(text: &str) -> Option<(Option<&str>, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = match text.split_at(digits) {
        ("", text) => (None, text.strip_prefix(['-', '*', '+', '•'])?),
        (number, rest) => (Some(number), rest.strip_prefix(['.', ')'])?),
    };
    Some((number, rest.trim())).filter(|(_, text)| rest.starts_with(' ') && !text.is_empty())
}

/// A line of prose without what Go would rewrite: definitions of links, which it moves to the end, and quotes of two signs.
pub(super) fn plain(text: &str) -> String {
    let text = join_quotes(no_constraint(text).as_ref());
    match text
        .strip_prefix('[')
        .and_then(|link| link.split_once("]:"))
    {
        Some((name, url)) if url.contains("://") => plain(&format!("{name}: {}", url.trim())),
        _ => text,
    }
}

/// A line that is no old constraint on builds, which `go vet` would miss at the top of the file.
pub(super) fn no_constraint(text: &str) -> Cow<'_, str> {
    if text.trim_start().starts_with("+build") {
        format!("\\{text}").into()
    } else {
        text.into()
    }
}

/// Makes quotation marks of two backticks or apostrophes. Three backticks are a fence.
pub(super) fn join_quotes(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        let (part, taken) = match c {
            '`' if ticks == 2 => ("“", 2),
            '`' => (&rest[..ticks], ticks),
            '\'' if rest.starts_with("''") => ("”", 2),
            _ => (&rest[..c.len_utf8()], c.len_utf8()),
        };
        joined.push_str(part);
        rest = &rest[taken..];
    }
    joined
}

/// Go's rule of how a heading looks that is not marked as one.
pub(super) fn is_old_heading(line: &str) -> bool {
    let rest_after = |mark: &str| {
        line.match_indices(mark)
            .map(|(at, _)| &line[at + 1..])
            .collect::<Vec<_>>()
    };
    line.starts_with(char::is_uppercase)
        && line.ends_with(char::is_alphanumeric)
        && !line.contains([
            ';', ':', '!', '?', '+', '*', '/', '=', '[', ']', '{', '}', '_', '^', '°', '&', '§',
        ])
        && !line.contains(['~', '%', '#', '@', '<', '"', '>', '\\'])
        && rest_after("'")
            .iter()
            .all(|rest| *rest == "s" || rest.starts_with("s "))
        && rest_after(".")
            .iter()
            .all(|rest| !rest.is_empty() && !rest.starts_with(' '))
}
