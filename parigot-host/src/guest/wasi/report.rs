//! Report that Go's runtime writes to stderr about a panic or a fatal error.
//!
//! ```text
//! panic: first [recovered]
//!     panic: second
//!
//! goroutine 7 [running]:
//! main.main()
//!     /src/main.go:5 +0x2
//! ```
//!
//! A fatal error begins with `fatal error: `. Lines that begin with `runtime: ` may precede it, for
//! example about the memory.

use super::output::{Line, Output, Stream};

/// Report about the end of a guest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// The message, in the words of the log.
    pub(crate) text: String,
    /// The stacks of the goroutines, or empty.
    pub(crate) stack: String,
}

/// Beginnings of the first line, and of the text in the log.
const HEADS: [(&str, &str); 2] = [("panic: ", "panicked: "), ("fatal error: ", "failed: ")];
/// Beginning of a line about a fatal error before its first line.
const REMARK: &str = "runtime: ";
/// Beginnings of the first line behind the message, unless that line is empty.
const STACK_HEADS: [&str; 3] = ["goroutine ", "runtime stack:", "[signal "];

impl Output {
    /// Takes the last report out of the lines. The output ends with the report, except for stdout.
    ///
    /// The last match counts: a panic may follow output of the guest that looks like one.
    pub(super) fn take_report(&mut self) -> Option<Report> {
        self.end_lines();
        let is_head = |line: &Line| is_stderr(line) && head_of(&line.text).is_some();
        let head = self.lines.iter().rposition(is_head)?;
        let is_remark = |line: &&Line| is_stderr(line) && line.text.starts_with(REMARK);
        let remarks = self.lines[..head]
            .iter()
            .rev()
            .take_while(is_remark)
            .count();
        let mut lines = self.lines.split_off(head - remarks);
        let mut report = lines.extract_if(.., |line| is_stderr(line));
        let mut stack: Vec<String> = report
            .by_ref()
            .take(remarks)
            .map(|line| line.text)
            .collect();
        let mut message: Vec<String> = Vec::new();
        let mut is_message = true;
        for Line { text, .. } in report {
            let was_message = is_message;
            is_message &=
                !text.is_empty() && !STACK_HEADS.iter().any(|head| text.starts_with(head));
            if is_message {
                message.push(text.trim_start_matches('\t').to_owned());
            } else if !was_message || !text.is_empty() {
                stack.push(text);
            }
        }
        self.lines.append(&mut lines);
        let (before, after) = head_of(&message[0])?;
        message[0] = format!("{after}{}", &message[0][before.len()..]);
        Some(Report {
            text: message.join("\n"),
            stack: stack.join("\n"),
        })
    }

    /// Returns the last line on stderr or in a log frame.
    pub(super) fn last_line(&mut self) -> Option<&str> {
        self.end_lines();
        let is_of_log = |line: &&Line| line.stream != Some(Stream::Out);
        self.lines.iter().rfind(is_of_log).map(|line| &*line.text)
    }
}

fn is_stderr(line: &Line) -> bool {
    line.stream == Some(Stream::Err)
}

/// Returns the beginning of a first line, and its replacement.
fn head_of(text: &str) -> Option<(&'static str, &'static str)> {
    HEADS
        .into_iter()
        .find(|(before, _)| text.starts_with(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the report in a text on stderr, and the texts of the other lines.
    fn report(text: &str) -> (Option<Report>, Vec<String>) {
        let mut output = Output::default();
        output.write(Stream::Err, text.as_bytes());
        let report = output.take_report();
        let rest = output.lines.into_iter().map(|line| line.text);
        (report, rest.collect())
    }

    fn expected(text: &str, stack: &str) -> Option<Report> {
        let (text, stack) = (text.into(), stack.into());
        Some(Report { text, stack })
    }

    #[test]
    fn a_panic_has_a_message_and_a_stack() {
        let (found, rest) = report("before\npanic: cold\n\ngoroutine 1 [running]:\nmain.main()\n");
        assert_eq!(
            found,
            expected("panicked: cold", "goroutine 1 [running]:\nmain.main()")
        );
        assert_eq!(rest, ["before"]);
    }

    #[test]
    fn a_message_may_have_several_lines() {
        let text = "panic: a [recovered]\n\tpanic: b\n[signal 0xb]\n\ngoroutine 1 [running]:\n";
        let stack = "[signal 0xb]\n\ngoroutine 1 [running]:";
        let message = "panicked: a [recovered]\npanic: b";
        assert_eq!(report(text).0, expected(message, stack));
    }

    #[test]
    fn a_fatal_error_has_its_remarks() {
        let text = "runtime: early\nline\nruntime: out of memory: 4 bytes\nfatal error: out of \
                    memory\n\nruntime stack:\nruntime.throw()";
        let stack = "runtime: out of memory: 4 bytes\nruntime stack:\nruntime.throw()";
        let (found, rest) = report(text);
        assert_eq!(found, expected("failed: out of memory", stack));
        assert_eq!(rest, ["runtime: early", "line"]);
    }

    #[test]
    fn the_last_report_counts() {
        let (found, rest) = report("panic: shown\npanic: real\n");
        assert_eq!(found, expected("panicked: real", ""));
        assert_eq!(rest, ["panic: shown"]);
    }

    #[test]
    fn other_output_is_no_report() {
        assert_eq!(report("a panic: no\n").0, None);
        let mut output = Output::default();
        output.write(Stream::Out, b"panic: on stdout\n");
        assert_eq!(output.take_report(), None);
        assert_eq!(output.last_line(), None);
        output.write(Stream::Err, b"the last");
        assert_eq!(output.last_line(), Some("the last"));
    }
}
