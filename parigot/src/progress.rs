//! Progress line on a terminal, below the log.
//!
//! The line is redrawn after each log line and cleared at the end.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Maximum width of the progress line, so that it does not wrap.
const COLUMNS_MAX: usize = 78;

/// Moves the cursor to the first column and clears the line.
const CLEAR: &str = "\r\x1b[K";

/// Writes log lines with the progress line below them.
///
/// The lock keeps the order: a log line and the redrawn progress line are one write.
pub(crate) struct Screen<W>(Mutex<Output<W>>);

struct Output<W> {
    out: W,
    /// Text of the progress line; empty if there is none.
    progress: String,
}

impl<W: Write> Screen<W> {
    pub(crate) const fn new(out: W) -> Self {
        Screen(Mutex::new(Output {
            out,
            progress: String::new(),
        }))
    }

    /// Writes whole lines, each with its end.
    pub(crate) fn lines(&self, lines: &str) {
        self.write(|Output { out, progress }| match &**progress {
            "" => out.write_all(lines.as_bytes()),
            progress => out.write_all(format!("{CLEAR}{lines}{progress}").as_bytes()),
        });
    }

    /// Shows the guests that are being compiled; clears the line if there are none.
    pub(crate) fn compiling(&self, guests: &[&str]) {
        self.write(|Output { out, progress }| {
            *progress = if guests.is_empty() {
                String::new()
            } else {
                text(guests)
            };
            out.write_all(format!("{CLEAR}{progress}").as_bytes())
        });
    }

    /// Writes to the output and ignores errors: a closed log does not stop the deployment.
    fn write(&self, write: impl FnOnce(&mut Output<W>) -> std::io::Result<()>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = write(&mut state).and_then(|()| state.out.flush());
        drop(written);
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
        assert_eq!(
            String::from_utf8(out).expect("output must be UTF-8"),
            expected
        );
    }

    #[test]
    fn many_guests_take_one_line() {
        let guests = ["a-guest-with-quite-a-name"; 12_345];
        let text = text(&guests);
        assert_eq!(text, "compiling a-guest-with-quite-a-name and 12344 more …");
        assert!(text.chars().count() <= COLUMNS_MAX);
    }
}
