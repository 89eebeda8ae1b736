//! Output of a Go guest: lines on stdout and stderr, and log frames before the manifest.

use parigot_abi::frame::Level;
use parigot_abi::{Frames, Kind};

use crate::limits::{STDIO_LINE_BYTES_MAX, Size};
use crate::log::guest_log::GuestLine;

/// Output kept until [`Output::take_lines`], in bytes; output beyond is counted and dropped.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// Stream of bytes that a guest writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// stdout.
    Out,
    /// stderr.
    Err,
}

/// Finished line.
pub(super) struct Line {
    /// Stream of the line; `None` for a log frame.
    pub(super) stream: Option<Stream>,
    level: Level,
    pub(super) text: String,
    /// Metadata of a log frame.
    fields: Vec<u8>,
}

/// Output of a guest, split into lines.
#[derive(Default)]
pub(super) struct Output {
    /// Unfinished line of each stream.
    unfinished: [Vec<u8>; 2],
    pub(super) lines: Vec<Line>,
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

    /// Appends a line of the log. Returns false if the bytes are not one log frame.
    pub(super) fn write_log_frame(&mut self, bytes: &[u8]) -> bool {
        let mut frames = Frames::new(bytes);
        let Some(Ok(frame)) = frames.next() else {
            return false;
        };
        if frame.kind() != Some(Kind::Log) || frames.next().is_some() {
            return false;
        }
        self.push(Line {
            stream: None,
            level: Level::from_number(frame.header.status).unwrap_or(Level::Info),
            text: String::from_utf8_lossy(frame.payload).into_owned(),
            fields: frame.metadata.to_vec(),
        });
        true
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
        let level = match stream {
            Stream::Out => Level::Info,
            Stream::Err => Level::Error,
        };
        self.push(Line {
            stream: Some(stream),
            level,
            text,
            fields: Vec::new(),
        });
    }

    /// Adds a line of the host.
    pub(super) fn write_line(&mut self, level: Level, text: &str) {
        self.push(Line {
            stream: None,
            level,
            text: text.into(),
            fields: Vec::new(),
        });
    }

    /// Adds a line, within the limit.
    fn push(&mut self, line: Line) {
        let bytes = line.text.len() + line.fields.len() + size_of::<Line>();
        if self.lines_bytes + bytes > OUTPUT_BYTES_MAX {
            self.dropped_bytes += line.text.len() + line.fields.len() + 1;
        } else {
            self.lines_bytes += bytes;
            self.lines.push(line);
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
    pub(super) fn take_lines(&mut self, sink: &mut dyn FnMut(&GuestLine<'_>)) {
        self.lines_bytes = 0;
        for line in self.lines.drain(..) {
            sink(&GuestLine {
                level: line.level,
                text: &line.text,
                fields: &line.fields,
            });
        }
        let dropped_bytes = std::mem::take(&mut self.dropped_bytes);
        if dropped_bytes > 0 {
            sink(&GuestLine {
                level: Level::Error,
                text: &format!(
                    "dropped {dropped_bytes} bytes of output: a turn may write at most {}",
                    Size(OUTPUT_BYTES_MAX)
                ),
                fields: &[],
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use parigot_abi::{FrameBuilder, Header};

    use super::*;

    fn lines_of(writes: &[(Stream, &[u8])]) -> Vec<(Level, String)> {
        let mut output = Output::default();
        writes
            .iter()
            .for_each(|(stream, bytes)| output.write(*stream, bytes));
        taken(&mut output)
    }

    fn taken(output: &mut Output) -> Vec<(Level, String)> {
        let mut lines = Vec::new();
        output.take_lines(&mut |line| lines.push((line.level, line.text.into())));
        lines
    }

    #[test]
    fn lines_are_whole_and_in_order() {
        use Stream::{Err, Out};
        let line = |level, text: &str| (level, text.to_string());
        assert_eq!(lines_of(&[(Out, b"no end")]), []);
        assert_eq!(
            lines_of(&[(Out, b"o"), (Err, b"e\r\n"), (Out, b"ne\n\ntwo")]),
            [
                line(Level::Error, "e"),
                line(Level::Info, "one"),
                line(Level::Info, "")
            ]
        );
        assert_eq!(
            lines_of(&[(Out, b"\xff\n")]),
            [line(Level::Info, "\u{fffd}")]
        );

        let mut output = Output::default();
        output.write(Out, b"an unfinished line");
        output.end_lines();
        let rest = taken(&mut output);
        assert_eq!(rest, [line(Level::Info, "an unfinished line")]);
    }

    #[test]
    fn only_whole_log_frames_are_lines() {
        let frame = |kind, text: &[u8]| {
            let mut bytes = Vec::new();
            FrameBuilder::new(
                &mut bytes,
                Header {
                    status: Level::Warn as u32,
                    ..Header::new(kind)
                },
            )
            .metadata("oven", "1")
            .payload(text)
            .finish()
            .expect("the frame must be short");
            bytes
        };
        let line = frame(Kind::Log, b"cold");
        let mut output = Output::default();
        assert!(output.write_log_frame(&line));
        for wrong in [
            &[][..],
            &line[..line.len() - 8],
            &[&line[..], &line].concat(),
            &frame(Kind::Exit, b"cold"),
        ] {
            assert!(!output.write_log_frame(wrong), "{wrong:?}");
        }
        let mut seen = Vec::new();
        output.take_lines(&mut |line| {
            seen.push((line.level, line.text.to_owned(), line.fields.is_empty()))
        });
        assert_eq!(seen, [(Level::Warn, "cold".into(), false)]);
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
