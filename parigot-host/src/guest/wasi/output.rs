//! Output of a Go guest on stdout and stderr, split into lines for the log.

use crate::limits::{STDIO_LINE_BYTES_MAX, Size};

/// Output kept until [`Output::take_lines`], in bytes; output beyond is counted and dropped.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// Stream that a guest writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// stdout.
    Out,
    /// stderr.
    Err,
}

/// Output of a guest, split into lines.
#[derive(Default)]
pub(super) struct Output {
    /// Unfinished line of each stream.
    unfinished: [Vec<u8>; 2],
    pub(super) lines: Vec<(Stream, String)>,
    /// Bytes used by `lines`.
    lines_bytes: usize,
    /// Bytes dropped since the last [`Output::take_lines`].
    dropped_bytes: usize,
}

impl Output {
    /// Appends bytes to a stream and turns each finished line into a line.
    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n");
            let unfinished = &mut self.unfinished[stream as usize];
            unfinished.extend_from_slice(text.unwrap_or(part));
            while self.unfinished[stream as usize].len() > STDIO_LINE_BYTES_MAX {
                self.cut_line(stream);
            }
            if text.is_some() {
                self.end_line(stream);
            }
        }
    }

    /// Turns the beginning of an unfinished line into a line, without a cut inside a UTF-8
    /// character.
    fn cut_line(&mut self, stream: Stream) {
        let line = &mut self.unfinished[stream as usize];
        // The last position that starts a character. No UTF-8 character has more than 4 bytes, so
        // the search ends after 3 steps back; other bytes are cut at the limit.
        let end = (STDIO_LINE_BYTES_MAX - 3..=STDIO_LINE_BYTES_MAX)
            .rev()
            .find(|at| line[*at] & 0b1100_0000 != 0b1000_0000)
            .unwrap_or(STDIO_LINE_BYTES_MAX);
        let rest = line.split_off(end);
        self.end_line(stream);
        self.unfinished[stream as usize] = rest;
    }

    /// Turns the unfinished line into a line.
    fn end_line(&mut self, stream: Stream) {
        let line = std::mem::take(&mut self.unfinished[stream as usize]);
        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
        let bytes = text.len() + size_of::<(Stream, String)>();
        if self.lines_bytes + bytes > OUTPUT_BYTES_MAX {
            self.dropped_bytes += text.len() + 1;
        } else {
            self.lines_bytes += bytes;
            self.lines.push((stream, text));
        }
    }

    /// Turns the unfinished lines into lines.
    pub(super) fn end_lines(&mut self) {
        for stream in [Stream::Out, Stream::Err] {
            if !self.unfinished[stream as usize].is_empty() {
                self.end_line(stream);
            }
        }
    }

    /// Passes the finished lines to `sink`, in the order in which they ended. A last line reports
    /// the number of dropped bytes, if there are any.
    pub(super) fn take_lines(&mut self, mut sink: impl FnMut(Stream, &str)) {
        self.lines_bytes = 0;
        for (stream, line) in self.lines.drain(..) {
            sink(stream, &line);
        }
        let dropped_bytes = std::mem::take(&mut self.dropped_bytes);
        if dropped_bytes > 0 {
            sink(
                Stream::Err,
                &format!(
                    "dropped {dropped_bytes} bytes of output: a turn may write at most {}",
                    Size(OUTPUT_BYTES_MAX)
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(writes: &[(Stream, &[u8])]) -> Vec<(Stream, String)> {
        let mut output = Output::default();
        writes
            .iter()
            .for_each(|(stream, bytes)| output.write(*stream, bytes));
        let mut lines = Vec::new();
        output.take_lines(|stream, line| lines.push((stream, line.into())));
        lines
    }

    #[test]
    fn lines_are_whole_and_in_order() {
        use Stream::{Err, Out};
        let line = |stream, text: &str| (stream, text.to_string());
        assert_eq!(lines_of(&[(Out, b"no end")]), []);
        assert_eq!(
            lines_of(&[(Out, b"o"), (Err, b"e\r\n"), (Out, b"ne\n\ntwo")]),
            [line(Err, "e"), line(Out, "one"), line(Out, "")]
        );
        assert_eq!(lines_of(&[(Out, b"\xff\n")]), [line(Out, "\u{fffd}")]);

        let mut output = Output::default();
        output.write(Out, b"an unfinished line");
        output.end_lines();
        let mut rest = Vec::new();
        output.take_lines(|stream, text| rest.push(line(stream, text)));
        assert_eq!(rest, [line(Out, "an unfinished line")]);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let exact = "x".repeat(STDIO_LINE_BYTES_MAX) + "\n";
        assert_eq!(lines_of(&[(Stream::Out, exact.as_bytes())]).len(), 1);

        // Each character has 3 bytes, and 8 KiB is no multiple of 3.
        let text = "€".repeat(STDIO_LINE_BYTES_MAX);
        let lines = lines_of(&[(Stream::Out, text.as_bytes()), (Stream::Out, b"\n")]);
        assert!(
            lines.len() > 3
                && lines
                    .iter()
                    .all(|(_, line)| line.len() <= STDIO_LINE_BYTES_MAX)
        );
        assert_eq!(
            lines.into_iter().map(|(_, line)| line).collect::<String>(),
            text
        );
    }
}
