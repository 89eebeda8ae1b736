//! Progress line on a terminal, below the log.
//!
//! The line is redrawn after each log line and cleared at the end.

use std::fmt::Write as _;

/// Maximum width of the progress line, so that it does not wrap.
const COLUMNS_MAX: usize = 78;

/// Moves the cursor to the first column and clears the line.
const CLEAR: &str = "\r\x1b[K";

/// Log lines that are not written yet, with the progress line below them.
pub(crate) struct Screen {
    /// Whole lines, each with its end.
    lines: String,
    /// Text of the progress line; empty if there is none.
    progress: String,
    /// The terminal shows another progress line than `progress`.
    is_outdated: bool,
}

impl Screen {
    pub(crate) const fn new() -> Self {
        Screen {
            lines: String::new(),
            progress: String::new(),
            is_outdated: false,
        }
    }

    /// Adds whole lines, each with its end.
    pub(crate) fn lines(&mut self, lines: &str) {
        self.lines.push_str(lines);
    }

    /// Shows the guests that are being compiled; clears the line if there are none.
    pub(crate) fn compiling(&mut self, guests: &[&str]) {
        self.progress = if guests.is_empty() {
            String::new()
        } else {
            text(guests)
        };
        self.is_outdated = true;
    }

    /// Returns the length of the lines.
    pub(crate) fn bytes(&self) -> usize {
        self.lines.len()
    }

    pub(crate) fn has_output(&self) -> bool {
        !self.lines.is_empty() || self.is_outdated
    }

    /// Returns all that is to be written: the lines, and the progress line again.
    pub(crate) fn take(&mut self) -> String {
        let lines = std::mem::take(&mut self.lines);
        let is_outdated = std::mem::take(&mut self.is_outdated);
        if is_outdated || !self.progress.is_empty() {
            format!("{CLEAR}{lines}{}", self.progress)
        } else {
            lines
        }
    }
}

/// Returns `compiling a, b, c and 12 more …`, with as many names as fit.
fn text(guests: &[&str]) -> String {
    let mut text = format!("compiling {:.40}", guests[0]);
    for (place, guest) in guests.iter().enumerate().skip(1) {
        let rest = guests.len() - place;
        if text.len() + ", ".len() + guest.len() + " and 10000 more …".len() > COLUMNS_MAX {
            let _ = write!(text, " and {rest} more");
            break;
        }
        let _ = write!(text, ", {guest}");
    }
    text + " …"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_stays_below_the_log_and_is_cleared() {
        let mut screen = Screen::new();
        screen.lines("before\n");
        assert_eq!(screen.take(), "before\n");
        screen.compiling(&["greeting", "hello"]);
        assert_eq!(screen.take(), "\r\x1b[Kcompiling greeting, hello …");
        screen.lines("between\n");
        let redrawn = "\r\x1b[Kbetween\ncompiling greeting, hello …";
        assert_eq!(screen.take(), redrawn);
        screen.compiling(&["hello"]);
        screen.compiling(&[]);
        assert!(screen.has_output());
        assert_eq!(screen.take(), "\r\x1b[K");
        assert!(!screen.has_output());
        screen.lines("after\n");
        assert_eq!(screen.take(), "after\n");
    }

    #[test]
    fn many_guests_take_one_line() {
        let guests = ["a-guest-with-quite-a-name"; 12_345];
        let text = text(&guests);
        assert_eq!(text, "compiling a-guest-with-quite-a-name and 12344 more …");
        assert!(text.chars().count() <= COLUMNS_MAX);
    }
}
