//! Escapes for text from guests, which is untrusted.

use std::fmt::Write as _;
use std::io;

use serde_json::ser::Formatter;

/// JSON formatter that escapes characters which control a terminal.
pub(crate) struct Escaping;

impl Formatter for Escaping {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for part in fragment.split_inclusive(controls_terminal) {
            let plain = part.strip_suffix(controls_terminal).unwrap_or(part);
            writer.write_all(plain.as_bytes())?;
            // All of these characters are below U+10000, hence one UTF-16 unit each.
            part[plain.len()..]
                .chars()
                .try_for_each(|c| write!(writer, "\\u{:04x}", c as u32))?;
        }
        Ok(())
    }
}

/// Appends text so that it can neither start a log line nor move the cursor.
pub(crate) fn push_text(line: &mut String, text: &str) {
    for c in text.trim_end_matches('\n').chars() {
        match c {
            '\n' => line.push_str("\n    "),
            c => push_visible(line, c),
        }
    }
}

/// Returns text whose characters that control a terminal are escaped, except line breaks.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => escaped.push(c),
            c => push_visible(&mut escaped, c),
        }
    }
    escaped
}

fn push_visible(line: &mut String, c: char) {
    if controls_terminal(c) && c != '\t' {
        _ = write!(line, "{}", c.escape_default());
    } else {
        line.push(c);
    }
}

/// Returns whether a character moves the cursor, breaks a line, or changes the text direction.
///
/// Each of these would make a terminal show another text than the one that was logged.
pub(crate) fn controls_terminal(c: char) -> bool {
    let reorders = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    c.is_control() || reorders
}
