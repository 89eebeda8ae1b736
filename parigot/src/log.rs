//! The log: each event of the host and of its guests becomes a line on stderr, as text or as JSON.
//!
//! ```text
//! 2026-11-22T03:15:06.123Z INFO  hello ins_8f3k2m - bonjour, world
//! {"time":"2026-11-22T03:15:06.123Z","level":"INFO","service":"hello","message":"bonjour"}
//! ```
//!
//! The columns are time (UTC), level, guest, instance, call and message, then further fields, such
//! as the trace id of the call. With several processes the
//! guest column is `front/hello`, and objects have the member `process`. An empty column is `-` in
//! text; JSON omits the member. Text from guests is untrusted and must not pass for a line of the
//! host: continuation lines are indented, and control characters are escaped in both formats.

use std::fmt;
use std::time::SystemTime;

use serde::ser::{SerializeMap, Serializer as _};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::attributes::Attributes;
use crate::escape::{Escaping, push_text};
use crate::log_levels::LogLevels;
use crate::stderr::{STDERR, takes_colour};

/// Format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people, in columns.
    Text,
    /// For programs, an object a line.
    Json,
}

/// Style of this process's log lines.
#[derive(Clone, Debug)]
pub(crate) struct Style {
    pub(crate) format: Format,
    /// Name of this process, if the deployment has several.
    pub(crate) process: Option<String>,
}

impl Style {
    /// Text about a whole deployment.
    pub(crate) const TEXT: Self = Style {
        format: Format::Text,
        process: None,
    };
}

/// Installs the subscriber that writes events of at least these levels to stderr.
///
/// # Panics
///
/// If called twice.
pub(crate) fn install(levels: LogLevels, style: Style) {
    let lowest = levels.lowest();
    let lines = Lines {
        style,
        levels,
        colour: takes_colour(),
        write: |line: &str| STDERR.lines(line),
    };
    tracing_subscriber::registry()
        .with(lowest)
        .with(lines)
        .init();
}

/// Returns a line of the host that is logged at any log level.
pub(crate) fn host_line(level: Level, message: &impl fmt::Display, style: &Style) -> String {
    let columns = Columns {
        process: style.process.clone(),
        message: message.to_string(),
        ..Columns::default()
    };
    columns.line(SystemTime::now(), level, style.format, takes_colour())
}

/// Layer that passes each event to `write` as one line with its line feed.
struct Lines<W> {
    style: Style,
    levels: LogLevels,
    colour: bool,
    write: W,
}

/// Libraries of the edge that log each frame of each connection.
const NOISY: &[&str] = &["connectrpc", "h2", "hyper", "hyper_util", "tower"];

/// Returns whether the log may have an event: noisy libraries log warnings and errors only.
fn may_log(event: &Metadata<'_>) -> bool {
    let library = event.target().split("::").next().unwrap_or_default();
    *event.level() <= Level::WARN || !NOISY.contains(&library)
}

impl<S: Subscriber, W: Fn(&str) + 'static> Layer<S> for Lines<W> {
    fn enabled(&self, event: &Metadata<'_>, _: Context<'_, S>) -> bool {
        may_log(event)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut columns = Columns {
            process: self.style.process.clone(),
            ..Columns::default()
        };
        event.record(&mut columns);
        let level = *event.metadata().level();
        if level > self.levels.of(columns.service.as_deref()) {
            return;
        }
        let time = SystemTime::now();
        (self.write)(&columns.line(time, level, self.style.format, self.colour));
    }
}

/// Fields with several lines, which follow the line in text.
const SEVERAL_LINES: [&str; 2] = ["stack", "callers"];

/// Columns of one log line.
#[derive(Default)]
pub(crate) struct Columns {
    pub(crate) process: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) instance: Option<String>,
    pub(crate) call: Option<String>,
    pub(crate) message: String,
    /// Fields without a column of their own, printed after the message.
    pub(crate) rest: Vec<(&'static str, Value)>,
    /// Attributes of a guest's line.
    pub(crate) attributes: Attributes,
}

impl Visit for Columns {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.rest.push((field.name(), value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.rest.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.rest.push((field.name(), value.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        match field.name() {
            "service" => self.service = Some(value),
            "instance" => self.instance = Some(value),
            "call" => self.call = Some(value),
            "message" => self.message = value,
            "attributes" => self.attributes = Attributes::parse(&value),
            name => self.rest.push((name, value.into())),
        }
    }
}

impl Columns {
    fn line(&self, time: SystemTime, level: Level, format: Format, colour: bool) -> String {
        match format {
            Format::Text => self.text(time, level, colour),
            Format::Json => self.json(time, level),
        }
    }

    fn text(&self, time: SystemTime, level: Level, colour: bool) -> String {
        let time = humantime::format_rfc3339_millis(time);
        let (on, off) = if colour {
            (colour_of(level), "\x1b[0m")
        } else {
            ("", "")
        };
        let mut line = format!("{time} {on}{level:<5}{off}");
        let guest = match &self.process {
            Some(process) => &format!("{process}/{}", self.service.as_deref().unwrap_or("-")),
            None => self.service.as_deref().unwrap_or("-"),
        };
        for column in [Some(guest), self.instance.as_deref(), self.call.as_deref()] {
            line.push(' ');
            push_text(&mut line, column.unwrap_or("-"));
        }
        line.push(' ');
        push_text(&mut line, &self.message);
        push_text(&mut line, &self.attributes.text());
        for (name, value) in &self.rest {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            if SEVERAL_LINES.contains(name) {
                push_text(&mut line, &format!("\n{value}"));
            } else {
                push_text(&mut line, &format!(" {name}={value}"));
            }
        }
        line.push('\n');
        line
    }

    /// Returns the line as a JSON object.
    pub(crate) fn json(&self, time: SystemTime, level: Level) -> String {
        let mut line = Vec::new();
        self.write_json(&mut line, time, level)
            .expect("writing to memory cannot fail");
        line.push(b'\n');
        String::from_utf8(line).expect("JSON must be UTF-8")
    }

    fn write_json(
        &self,
        line: &mut Vec<u8>,
        time: SystemTime,
        level: Level,
    ) -> serde_json::Result<()> {
        let mut json = serde_json::Serializer::with_formatter(line, Escaping);
        let mut object = json.serialize_map(None)?;
        object.serialize_entry("time", &humantime::format_rfc3339_millis(time).to_string())?;
        object.serialize_entry("level", level.as_str())?;
        let columns = [
            ("process", &self.process),
            ("service", &self.service),
            ("instance", &self.instance),
            ("call", &self.call),
        ];
        for (name, column) in columns {
            if let Some(column) = column {
                object.serialize_entry(name, column)?;
            }
        }
        object.serialize_entry("message", &self.message)?;
        for (name, value) in &self.rest {
            object.serialize_entry(name, value)?;
        }
        for (name, value) in self.attributes.members() {
            object.serialize_entry(&name, value)?;
        }
        object.end()
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, UNIX_EPOCH};

    use tracing::level_filters::LevelFilter;

    use super::*;

    fn line(message: &str) -> String {
        let columns = Columns {
            service: Some("hello".into()),
            message: message.into(),
            ..Columns::default()
        };
        columns.text(
            UNIX_EPOCH + Duration::from_millis(1_795_317_306_123),
            Level::INFO,
            false,
        )
    }

    #[test]
    fn a_line_has_its_columns() {
        assert_eq!(
            line("bonjour, world"),
            "2026-11-22T03:15:06.123Z INFO  hello - - bonjour, world\n"
        );
    }

    #[test]
    fn a_line_names_its_process() {
        let process = || Columns {
            process: Some("front".into()),
            ..Columns::default()
        };
        let lines = [
            process(),
            Columns {
                service: Some("hello".into()),
                ..process()
            },
        ]
        .map(|columns| columns.text(UNIX_EPOCH, Level::INFO, false));
        assert_eq!(lines[0], "1970-01-01T00:00:00.000Z INFO  front/- - - \n");
        assert_eq!(
            lines[1],
            "1970-01-01T00:00:00.000Z INFO  front/hello - - \n"
        );
        assert_eq!(
            process().json(UNIX_EPOCH, Level::INFO),
            concat!(
                r#"{"time":"1970-01-01T00:00:00.000Z","level":"INFO","process":"front","#,
                "\"message\":\"\"}\n"
            )
        );
    }

    #[test]
    fn a_message_cannot_begin_a_line() {
        assert_eq!(
            line("a\n2026-11-22T03:15:06.123Z ERROR other - - b\n\n"),
            "2026-11-22T03:15:06.123Z INFO  hello - - a\n    2026-11-22T03:15:06.123Z ERROR other \
             - - b\n",
        );
    }

    #[test]
    fn a_message_cannot_control_the_terminal() {
        let line = line("\r\x1b[2J\u{9b}1m\u{2028}\u{202e}\ttab é");
        let (_, text) = line.split_once(" - - ").expect("two columns must be empty");
        assert_eq!(text, "\\r\\u{1b}[2J\\u{9b}1m\\u{2028}\\u{202e}\ttab é\n");
    }

    #[test]
    fn a_stack_follows_its_line() {
        let columns = Columns {
            message: "panicked: cold".into(),
            rest: vec![
                ("method", "a".into()),
                ("stack", "main.main()\n\tmain.go:5".into()),
            ],
            ..Columns::default()
        };
        let text = columns.text(UNIX_EPOCH, Level::ERROR, false);
        let expected = " panicked: cold method=a\n    main.main()\n    \tmain.go:5\n";
        assert!(text.ends_with(expected), "{text}");
        let json = columns.json(UNIX_EPOCH, Level::ERROR);
        assert!(
            json.contains(r#""stack":"main.main()\n\tmain.go:5"}"#),
            "{json}"
        );
    }

    #[test]
    fn colour_marks_the_level_alone() {
        let line = Columns::default().text(UNIX_EPOCH, Level::WARN, true);
        assert_eq!(
            line,
            "1970-01-01T00:00:00.000Z \x1b[33mWARN \x1b[0m - - - \n"
        );
    }

    #[test]
    fn json_omits_empty_columns() {
        let columns = Columns {
            instance: Some("ins_1".into()),
            message: "a \"b\"\n\t\u{7f}\u{9b}1m\u{2028}\u{202e}é".into(),
            rest: vec![("polls", 7.into())],
            ..Columns::default()
        };
        let expected = concat!(
            r#"{"time":"1970-01-01T00:00:00.000Z","level":"WARN","instance":"ins_1","#,
            r#""message":"a \"b\"\n\t\u007f\u009b1m\u2028\u202eé","polls":7}"#,
            "\n"
        );
        assert_eq!(columns.json(UNIX_EPOCH, Level::WARN), expected);
    }

    /// Returns the line of an event, without its time.
    fn written(format: Format) -> String {
        let written = Arc::new(Mutex::new(String::new()));
        let write = {
            let written = Arc::clone(&written);
            move |line: &str| {
                written
                    .lock()
                    .expect("the lock must not be poisoned")
                    .push_str(line)
            }
        };
        let lines = Lines {
            style: Style {
                format,
                process: None,
            },
            levels: LogLevels::all(LevelFilter::INFO),
            colour: false,
            write,
        };
        tracing::subscriber::with_default(
            tracing_subscriber::registry()
                .with(LevelFilter::INFO)
                .with(lines),
            || {
                tracing::debug!("below the level");
                tracing::info!(target: "h2::codec", "a frame of a client");
                tracing::warn!(
                    target: "guest",
                    service = "a",
                    instance = %"ins_1",
                    call = %"cal_1",
                    polls = 7,
                    why = "slow",
                    attributes = %r#"{"oven":2,"call":"forged"}"#,
                    "over budget"
                );
            },
        );
        let written = written.lock().expect("the lock must not be poisoned");
        let (_, line) = written
            .split_once("Z")
            .expect("the line must begin with a time");
        line.to_owned()
    }

    /// The members of a line stand in several places, and the reserved names in one.
    #[test]
    fn no_attribute_can_pass_for_a_member() {
        let column = || Some("x".to_owned());
        let full = Columns {
            process: column(),
            service: column(),
            instance: column(),
            call: column(),
            message: "x".into(),
            rest: parigot_host::LOG_FIELDS
                .map(|name| (name, Value::from(1)))
                .to_vec(),
            attributes: Attributes::default(),
        };
        let line = full.json(UNIX_EPOCH, Level::INFO);
        let object: serde_json::Map<String, Value> =
            serde_json::from_str(&line).expect("the line must be an object");
        assert!(object.len() > parigot_host::LOG_FIELDS.len(), "{line}");
        for name in object.keys() {
            let forged = Attributes::parse(&format!(r#"{{"{name}":"forged"}}"#));
            let names: Vec<_> = forged.members().map(|(name, _)| name).collect();
            assert_eq!(names, [format!("attr.{name}")]);
        }
    }

    #[test]
    fn an_event_fills_the_columns() {
        assert_eq!(
            written(Format::Text),
            " WARN  a ins_1 cal_1 over budget oven=2 call=forged polls=7 why=slow\n"
        );
        let expected = concat!(
            r#"","level":"WARN","service":"a","instance":"ins_1","call":"cal_1","#,
            r#""message":"over budget","polls":7,"why":"slow","oven":2,"attr.call":"forged"}"#,
            "\n"
        );
        assert_eq!(written(Format::Json), expected);
    }
}
