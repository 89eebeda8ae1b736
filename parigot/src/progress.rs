//! The line that says what a person is waiting for, on a terminal that is otherwise still.
//!
//! It stands below the log, is drawn again after each line of it, and leaves nothing behind.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Columns that it takes at most, so that it stays one line.
const COLUMNS_MAX: usize = 78;

/// To the first column, and clear from there to the end.
const CLEAR: &str = "\r\x1b[K";

/// Writes lines, with the line of progress below.
pub(crate) struct Screen<W>(Mutex<State<W>>);

struct State<W> {
    out: W,
    /// Empty if there is none.
    progress: String,
}

impl<W: Write> Screen<W> {
    pub(crate) const fn new(out: W) -> Self {
        Screen(Mutex::new(State {
            out,
            progress: String::new(),
        }))
    }

    /// Writes whole lines, each with its end.
    pub(crate) fn lines(&self, lines: &str) {
        self.write(|State { out, progress }| match &**progress {
            "" => out.write_all(lines.as_bytes()),
            progress => out.write_all(format!("{CLEAR}{lines}{progress}").as_bytes()),
        });
    }

    /// Shows who is being compiled; of none, nothing is left.
    pub(crate) fn compiling(&self, guests: &[&str]) {
        self.write(|State { out, progress }| {
            *progress = if guests.is_empty() {
                String::new()
            } else {
                text(guests)
            };
            out.write_all(format!("{CLEAR}{progress}").as_bytes())
        });
    }

    /// A log that nobody reads any more is no reason to stop.
    fn write(&self, write: impl FnOnce(&mut State<W>) -> std::io::Result<()>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = write(&mut state).and_then(|()| state.out.flush());
        drop(written);
    }
}

/// `compiling a, b, c and 12 more …`, with as many names as there is room for.
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
    fn the_line_is_drawn_below_the_log_and_cleared_in_the_end() {
        let mut out = Vec::new();
        let screen = Screen::new(&mut out);
        screen.lines("before\n");
        screen.compiling(&["greeting", "hello"]);
        screen.lines("between\n");
        screen.compiling(&["hello"]);
        screen.compiling(&[]);
        screen.lines("after\n");
        drop(screen);
        let expected = "before\n\
            \r\x1b[Kcompiling greeting, hello …\
            \r\x1b[Kbetween\ncompiling greeting, hello …\
            \r\x1b[Kcompiling hello …\
            \r\x1b[K\
            after\n";
        assert_eq!(String::from_utf8(out).expect("it is text"), expected);
    }

    #[test]
    fn many_guests_take_one_line() {
        let guests = ["a-guest-with-quite-a-name"; 12_345];
        let text = text(&guests);
        assert_eq!(text, "compiling a-guest-with-quite-a-name and 12344 more …");
        assert!(text.chars().count() <= COLUMNS_MAX);
    }
}
