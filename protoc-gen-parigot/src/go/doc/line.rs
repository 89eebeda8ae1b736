//! Lines of Markdown and of Go documentation.

use std::borrow::Cow;

/// Returns the text of a Markdown heading.
pub(super) fn heading(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches('#');
    let marked = (1..=6).contains(&(text.len() - rest.len())) && rest.starts_with(' ');
    Some(rest.trim()).filter(|heading| marked && !heading.is_empty())
}

/// Returns the number, if any, and the text of a line that begins an item of a list.
pub(super) fn marker(text: &str) -> Option<(Option<&str>, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = match text.split_at(digits) {
        ("", text) => (None, text.strip_prefix(['-', '*', '+', '•'])?),
        (number, rest) => (Some(number), rest.strip_prefix(['.', ')'])?),
    };
    Some((number, rest.trim())).filter(|(_, text)| rest.starts_with(' ') && !text.is_empty())
}

/// Returns a line of prose without the syntax that `gofmt` would rewrite: link definitions, which
/// move to the end, and quotes made of two characters.
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

/// Escapes an old build constraint, which `go vet` reports unless it is at the top of the file.
pub(super) fn no_constraint(text: &str) -> Cow<'_, str> {
    if text.trim_start().starts_with("+build") {
        format!("\\{text}").into()
    } else {
        text.into()
    }
}

/// Replaces pairs of backticks or apostrophes by quotation marks. Three backticks are a fence.
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

/// Returns true if Go reads an unmarked line as a heading.
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
