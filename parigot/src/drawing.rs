//! Problems as a terminal shows them: with the line of the deployment file, causes and help.

use std::error::Error;
use std::fmt;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};

use crate::escape::{controls_terminal, escaped};
use crate::stderr::takes_colour;

/// Longest line of a file that is drawn, in bytes. A longer one cannot be read, and
/// miette panics beyond 65,535 columns.
const LINE_BYTES_MAX: usize = 500;

/// Returns a problem with its source line, its causes and the next step.
///
/// File names, names in wasm modules and texts of the deployment file come from outside. Their
/// characters that control a terminal are shown escaped, in source lines as `?`.
pub(crate) fn draw(problem: &dyn Diagnostic) -> String {
    let theme = if takes_colour() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let mut text = String::new();
    GraphicalReportHandler::new_themed(theme)
        .with_width(120)
        .render_report(&mut text, &Drawing::new(problem))
        .expect("writing to a string does not fail");
    text + "\n"
}

/// Copy of a problem that is safe to draw.
#[derive(Debug)]
struct Drawing {
    text: Text,
    help: Option<String>,
    labels: Vec<LabeledSpan>,
    source: Option<NamedSource<String>>,
}

/// Message, and the chain of its causes.
#[derive(Debug)]
struct Text {
    message: String,
    cause: Option<Box<Text>>,
}

impl Text {
    fn new(error: &dyn Error) -> Self {
        Text {
            message: escaped(&error.to_string()),
            cause: error.source().map(|cause| Box::new(Text::new(cause))),
        }
    }
}

impl Drawing {
    fn new(problem: &dyn Diagnostic) -> Self {
        let mut drawing = Drawing {
            text: Text::new(problem),
            help: problem.help().map(|help| escaped(&help.to_string())),
            labels: problem.labels().into_iter().flatten().collect(),
            source: None,
        };
        if let Some(source) = problem.source_code() {
            drawing.add_source(source);
        }
        drawing
    }

    /// Adds the file up to the end of the last label and its context, or only the position if a
    /// line is too long.
    fn add_source(&mut self, source: &dyn SourceCode) {
        let Some(end) = self.labels.iter().map(|at| at.offset() + at.len()).max() else {
            return;
        };
        let Ok(read) = source.read_span(&(0, end).into(), 0, 1) else {
            return;
        };
        let text = String::from_utf8_lossy(read.data());
        let name = escaped(read.name().unwrap_or_default());
        let is_drawable = |label: &LabeledSpan| {
            let before = text[..text.floor_char_boundary(label.offset())]
                .rfind('\n')
                .unwrap_or(0);
            // The line before the label, its own, and the one after.
            let first = text[..before].rfind('\n').unwrap_or(0);
            let mut lines = text[first..].split('\n').take(4);
            lines.all(|line| line.len() <= LINE_BYTES_MAX)
        };
        if self.labels.iter().all(is_drawable) {
            self.source = Some(NamedSource::new(name, without_controls(&text)));
        } else {
            let (line, column) = position(&text, self.labels[0].offset());
            let message = &mut self.text.message;
            *message = format!("{name}:{line}:{column}: {message}");
            self.labels.clear();
        }
    }
}

/// Returns the line and the column, from 1, of the character at an offset.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

/// Replaces characters that control a terminal, byte by byte, so that offsets stay.
fn without_controls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let breaks_line = c == '\n' || c == '\r' && chars.peek() == Some(&'\n');
        if controls_terminal(c) && !breaks_line && c != '\t' {
            (0..c.len_utf8()).for_each(|_| shown.push('?'));
        } else {
            shown.push(c);
        }
    }
    shown
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Text {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause.as_deref()?)
    }
}

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl Error for Drawing {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.text.source()
    }
}

impl Diagnostic for Drawing {
    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        Some(Box::new(self.help.as_ref()?))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source.as_ref()?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use miette::SourceSpan;

    use super::*;

    #[derive(Debug, thiserror::Error, Diagnostic)]
    #[error("unknown key {key:?} in {key}")]
    struct Unknown {
        key: String,
        #[help]
        help: String,
        #[label]
        at: SourceSpan,
        #[source_code]
        file: NamedSource<Arc<str>>,
    }

    fn unknown(text: &str, key: &str) -> Unknown {
        let at = text.find(key).expect("the key must be in the text");
        Unknown {
            key: key.to_owned(),
            help: format!("remove {key}"),
            at: (at, key.len()).into(),
            file: NamedSource::new("app\x1b.toml", text.into()),
        }
    }

    #[test]
    fn a_drawing_does_not_control_the_terminal() {
        let text = "a = 1\n\x1b[2J\x07é\u{202e}k = 2\nb = 3\n";
        let drawn = draw(&unknown(text, "\x1b[2J\x07é\u{202e}k"));
        assert!(
            !drawn.contains(|c: char| controls_terminal(c) && c != '\n'),
            "{drawn:?}"
        );
        for shown in [
            "in \\u{1b}[2J\\u{7}é\\u{202e}k",
            "app\\u{1b}.toml:2:1",
            "?[2J?é???k = 2",
            "help: remove \\u{1b}[2J",
        ] {
            assert!(drawn.contains(shown), "{shown}: {drawn}");
        }
    }

    #[test]
    fn a_problem_in_a_long_line_is_drawn_without_the_line() {
        for text in [
            format!("a = \"{}\", key", "x".repeat(70_000)),
            format!("a = 1\n{}\nkey", "x".repeat(70_000)),
            format!("a = 1\nkey\n{}\n", "x".repeat(70_000)),
        ] {
            let drawn = draw(&unknown(&text, "key"));
            let (line, column) = position(&text, text.find("key").expect("it is there"));
            let head = format!("app\\u{{1b}}.toml:{line}:{column}: unknown key \"key\" in key");
            assert!(drawn.contains(&head) && drawn.len() < 200, "{drawn}");
            assert!(drawn.contains("help: remove key"), "{drawn}");
        }
    }

    #[test]
    fn a_problem_is_drawn_with_its_line() {
        let drawn = draw(&unknown("a = 1\nb = 2\nkey = 3\nc = 4\n", "key"));
        assert!(
            drawn.contains("key = 3") && drawn.contains("c = 4"),
            "{drawn}"
        );
        assert!(drawn.contains("app\\u{1b}.toml:3:1"), "{drawn}");
    }
}
