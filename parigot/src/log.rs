//! The one log: each event of the host and of its guests becomes a line on stderr.
//!
//! ```text
//! 2026-11-22T03:15:06.123Z INFO  hello ins_8f3k2m9q - bonjour, world
//! ```
//!
//! The columns are time (UTC), level, guest, instance, call and message; `-` stands where there is none. What guests write is
//! other people's text, and a line of it must not pass for one of the host's: its further lines are indented, and what
//! would steer a terminal is escaped.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write as _};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Sends every event from now on to stderr, but for those below `level`.
///
/// # Panics
///
/// If it is called twice.
pub(crate) fn install(level: LevelFilter) {
    // A log that nobody reads any more is no reason to stop.
    let write = |line: &str| drop(io::stderr().lock().write_all(line.as_bytes()));
    let lines = Lines { colour: stderr_takes_colour(), write };
    tracing_subscriber::registry().with(level).with(lines).init();
}

/// Whether stderr is a terminal, and `NO_COLOR` (<https://no-color.org>) does not ask for plain text.
pub(crate) fn stderr_takes_colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Gives each event to `write`, as one whole line with its end.
struct Lines<W> {
    colour: bool,
    write: W,
}

impl<S: Subscriber, W: Fn(&str) + 'static> Layer<S> for Lines<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut columns = Columns::default();
        event.record(&mut columns);
        (self.write)(&columns.line(SystemTime::now(), *event.metadata().level(), self.colour));
    }
}

/// What an event says of itself. Fields that have no column are put behind the message.
#[derive(Default)]
struct Columns {
    service: Option<String>,
    instance: Option<String>,
    call: Option<String>,
    message: String,
    rest: String,
}

impl Visit for Columns {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "service" => self.service = Some(format!("{value:?}")),
            "instance" => self.instance = Some(format!("{value:?}")),
            "call" => self.call = Some(format!("{value:?}")),
            "message" => self.message = format!("{value:?}"),
            name => self.rest.push_str(&format!(" {name}={value:?}")),
        }
    }
}

impl Columns {
    fn line(&self, time: SystemTime, level: Level, colour: bool) -> String {
        let time = humantime::format_rfc3339_millis(time);
        let (on, off) = if colour { (colour_of(level), "\x1b[0m") } else { ("", "") };
        let mut line = format!("{time} {on}{level:<5}{off}");
        for column in [&self.service, &self.instance, &self.call] {
            line.push(' ');
            push_text(&mut line, column.as_deref().unwrap_or("-"));
        }
        line.push(' ');
        push_text(&mut line, &self.message);
        push_text(&mut line, &self.rest);
        line.push('\n');
        line
    }
}

const fn colour_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// Appends text so that it can neither begin a line nor move the cursor.
fn push_text(line: &mut String, text: &str) {
    for c in text.trim_end_matches('\n').chars() {
        match c {
            '\n' => line.push_str("\n    "),
            '\t' => line.push(c),
            c if c.is_control() || reorders(c) => _ = write!(line, "{}", c.escape_default()),
            c => line.push(c),
        }
    }
}

/// Whether it breaks a line or turns the direction of what follows, so that a reader sees another text than is there.
const fn reorders(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn line(message: &str) -> String {
        let columns = Columns { service: Some("hello".into()), message: message.into(), ..Columns::default() };
        columns.line(UNIX_EPOCH + Duration::from_millis(1_795_317_306_123), Level::INFO, false)
    }

    #[test]
    fn a_line_has_its_columns() {
        assert_eq!(line("bonjour, world"), "2026-11-22T03:15:06.123Z INFO  hello - - bonjour, world\n");
    }

    #[test]
    fn a_message_cannot_begin_a_line() {
        assert_eq!(
            line("a\n2026-11-22T03:15:06.123Z ERROR other - - b\n\n"),
            "2026-11-22T03:15:06.123Z INFO  hello - - a\n    2026-11-22T03:15:06.123Z ERROR other - - b\n",
        );
    }

    #[test]
    fn a_message_cannot_steer_the_terminal() {
        let line = line("\r\x1b[2J\u{9b}1m\u{2028}\u{202e}\ttab é");
        let (_, text) = line.split_once(" - - ").expect("two empty columns");
        assert_eq!(text, "\\r\\u{1b}[2J\\u{9b}1m\\u{2028}\\u{202e}\ttab é\n");
    }

    #[test]
    fn colour_marks_the_level_alone() {
        let line = Columns::default().line(UNIX_EPOCH, Level::WARN, true);
        assert_eq!(line, "1970-01-01T00:00:00.000Z \x1b[33mWARN \x1b[0m - - - \n");
    }

    #[test]
    fn an_event_fills_the_columns() {
        let written = Arc::new(Mutex::new(String::new()));
        let write = {
            let written = Arc::clone(&written);
            move |line: &str| written.lock().expect("no other test has it").push_str(line)
        };
        let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(Lines { colour: false, write });
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("unheard");
            tracing::warn!(target: "guest", service = "a", instance = %"ins_1", call = %"cal_1", polls = 7, "over budget");
        });
        let written = written.lock().expect("the writer is done");
        let (_, line) = written.split_once(' ').expect("a time first");
        assert_eq!(line, "WARN  a ins_1 cal_1 over budget polls=7\n");
    }
}
