//! Comments from `protoc`, cleaned so that any emitter can print them.

/// Returns the lines of several comments, with an empty line between two comments.
///
/// The function removes the indentation that all lines of a comment share, and empty lines at both
/// ends. Characters that move the cursor or change the writing direction are spelled out.
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
    // An editor may have left a byte-order mark at the beginning.
    let comment = comment.strip_prefix('\u{feff}').unwrap_or(comment);
    // `protoc` would treat this text in a comment as a place where other plugins insert code.
    let comment = comment.replace("@@protoc_insertion_point", "@ @protoc_insertion_point");
    visible(
        &comment
            .replace("\r\n", "\n")
            .replace('\r', "\n")
            .replace('\t', "    "),
    )
}

/// Returns text without invisible characters other than line ends: each is spelled out, as
/// `U+202E`.
///
/// A joiner or variation selector stays if it follows a visible non-ASCII character, where it is
/// meaningful. Only one stays, so that a sequence of them cannot encode text.
pub(super) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    let mut before = '\n';
    for c in text.chars() {
        let joins =
            is_joiner(c) && !before.is_ascii() && !is_joiner(before) && !is_invisible(before);
        if joins || c == '\n' || !(c.is_control() || is_joiner(c) || is_invisible(c)) {
            visible.push(c);
        } else {
            visible.push_str(&format!("U+{:04X}", u32::from(c)));
        }
        before = c;
    }
    visible
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}')
}

/// Returns true for characters that have no width, end a line only for some readers, or change the
/// writing direction. With these, a line reads differently from what the compiler reads. Most of
/// them are `Default_Ignorable_Code_Point` in Unicode.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{00ad}'
            | '\u{034f}'
            | '\u{061c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

fn dedent(comment: &str) -> Vec<String> {
    // The second star of `/**` is not text.
    let comment = comment
        .strip_prefix('*')
        .filter(|rest| rest.starts_with('\n'))
        .unwrap_or(comment);
    let lines: Vec<&str> = comment.lines().map(str::trim_end).collect();
    let indent = |line: &&str| line.len() - line.trim_start_matches(' ').len();
    let shared = lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(indent)
        .min()
        .unwrap_or(0);
    let Some(first) = lines.iter().position(|line| !line.is_empty()) else {
        return Vec::new();
    };
    let last = lines
        .iter()
        .rposition(|line| !line.is_empty())
        .unwrap_or(first);
    lines[first..=last]
        .iter()
        .map(|line| line.get(shared..).unwrap_or_default().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(comments: &[&str], expected: &[&str]) {
        assert_eq!(lines(comments.iter().copied()), expected);
    }

    #[test]
    fn shared_indentation_and_empty_ends_are_removed() {
        check(&["\n One.\n   Two.\n\n", ""], &["One.", "  Two."]);
        check(
            &["     all of it\n\n     is indented\n"],
            &["all of it", "", "is indented"],
        );
        check(&["", "\n \n"], &[]);
        check(&["*\n Starred.\n"], &["Starred."]);
    }

    #[test]
    fn leading_and_trailing_comments_are_two_paragraphs() {
        check(&[" Before.\n", " After.\n"], &["Before.", "", "After."]);
    }

    #[test]
    fn control_characters_are_spelled_out() {
        check(&["a\rb\r\nc\td"], &["a", "b", "c    d"]);
        check(&["x\u{202e}y\u{7}\0"], &["xU+202EyU+0007U+0000"]);
        check(
            &["a\u{2028}b\u{2029}c\u{85}d\u{b}e\u{c}f"],
            &["aU+2028bU+2029cU+0085dU+000BeU+000Cf"],
        );
    }

    #[test]
    fn no_comment_is_an_insertion_point() {
        check(
            &["@@protoc_insertion_point(module)"],
            &["@ @protoc_insertion_point(module)"],
        );
    }

    #[test]
    fn invisible_characters_are_spelled_out() {
        check(
            &["\u{feff}a\u{feff}b\u{200b}c\u{e0041}"],
            &["aU+FEFFbU+200BcU+E0041"],
        );
        check(
            &["\u{2764}\u{fe0f} \u{1f468}\u{200d}\u{1f469}"],
            &["\u{2764}\u{fe0f} \u{1f468}\u{200d}\u{1f469}"],
        );
        check(
            &["a\u{200d}b", "\u{e9}\u{200c}\u{200d}"],
            &["aU+200Db", "", "\u{e9}\u{200c}U+200D"],
        );
    }
}
