//! Comments as `protoc` hands them over, made fit to be printed anywhere.

/// The lines of several comments, with an empty line between each two.
///
/// The indentation that all lines of a comment share is gone, as are empty lines at the ends; what would move the
/// cursor or turn the direction of writing is spelled out.
pub(super) fn lines<'a>(comments: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut lines = Vec::new();
    for comment in comments {
        let mut comment = dedent(&clean(comment));
        if !lines.is_empty() && !comment.is_empty() {
            lines.push(String::new());
        }
        lines.append(&mut comment);
    }
    lines
}

fn clean(comment: &str) -> String {
    let comment = comment.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ");
    let mut clean = String::with_capacity(comment.len());
    for c in comment.chars() {
        if c != '\n' && (c.is_control() || is_bidi(c)) {
            clean.push_str(&format!("U+{:04X}", u32::from(c)));
        } else {
            clean.push(c);
        }
    }
    clean
}

/// The marks with which a line is made to read differently from what a compiler reads.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn dedent(comment: &str) -> Vec<String> {
    // The second star of `/**` is no text.
    let comment = comment.strip_prefix('*').filter(|rest| rest.starts_with('\n')).unwrap_or(comment);
    let lines: Vec<&str> = comment.lines().map(str::trim_end).collect();
    let indent = |line: &&str| line.len() - line.trim_start_matches(' ').len();
    let shared = lines.iter().filter(|line| !line.is_empty()).map(indent).min().unwrap_or(0);
    let Some(first) = lines.iter().position(|line| !line.is_empty()) else { return Vec::new() };
    let last = lines.iter().rposition(|line| !line.is_empty()).unwrap_or(first);
    lines[first..=last].iter().map(|line| line.get(shared..).unwrap_or_default().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(comments: &[&str], expected: &[&str]) {
        assert_eq!(lines(comments.iter().copied()), expected);
    }

    #[test]
    fn shared_indentation_and_empty_ends_go() {
        check(&["\n One.\n   Two.\n\n", ""], &["One.", "  Two."]);
        check(&["     all of it\n\n     is indented\n"], &["all of it", "", "is indented"]);
        check(&["", "\n \n"], &[]);
        check(&["*\n Starred.\n"], &["Starred."]);
    }

    #[test]
    fn leading_and_trailing_comments_are_two_paragraphs() {
        check(&[" Before.\n", " After.\n"], &["Before.", "", "After."]);
    }

    #[test]
    fn what_moves_the_cursor_is_spelled_out() {
        check(&["a\rb\r\nc\td"], &["a", "b", "c    d"]);
        check(&["x\u{202e}y\u{7}\0"], &["xU+202EyU+0007U+0000"]);
    }
}
