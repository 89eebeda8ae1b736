//! Queue between the threads that log and the thread that writes to stderr.
//!
//! ```text
//! workers, signal thread, forwarded children ─▶ queue of 4 MiB ─▶ writer thread ─▶ stderr
//! ```
//!
//! A write to stderr blocks while the reader does not read, so that only the writer thread may
//! write. Lines that find the queue full are dropped and counted. The writer takes all queued lines
//! at once; a report of the dropped lines ends what it takes, because after the first dropped line
//! no other line is queued until then. So the report stands in the gap.
//!
//! Without a writer thread, the threads that log write themselves: commands that run no guest may
//! wait for a pager.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use parigot_host::ThreadError;
use parking_lot::{Condvar, Mutex};

use crate::progress::Screen;
use crate::thread;

/// Capacity of the queue in bytes. A longer line is queued if the queue is empty.
const QUEUE_BYTES_MAX: usize = 4 << 20;

/// Length of the queue in bytes at which the writer collects no longer.
const URGENT_BYTES: usize = 256 << 10;

/// Largest write, apart from longer lines. A pipe accepts up to `PIPE_BUF` bytes in one piece, even
/// if other processes write to the same pipe.
const WRITE_BYTES_MAX: usize = 4 << 10;

/// Time without progress after which [`LogQueue::flush`] gives up.
pub(crate) const STALL_MAX: Duration = Duration::from_secs(1);

/// Pause before the next write to a full stderr that does not block.
const RETRY: Duration = Duration::from_millis(10);

/// Queue of whole lines, with the progress line below them.
///
/// | field | guarded by | written by | read by |
/// |---|---|---|---|
/// | `state` | its lock, which no thread holds during a write | all | all |
/// | `filled` | | threads that log or flush | the writer |
/// | `written` | | the writer | threads that flush |
/// | `out` | its lock | the writer, or threads that log while there is no writer | |
pub(crate) struct LogQueue<W> {
    state: Mutex<State>,
    /// The queue is no longer empty, or the writer must not collect any longer.
    filled: Condvar,
    /// A part of a batch is written.
    written: Condvar,
    out: Mutex<W>,
}

struct State {
    screen: Screen,
    dropped: Dropped,
    has_writer: bool,
    /// Number of batches that the writer has taken.
    taken: u64,
    /// Number of batches that are written.
    finished: u64,
    /// Start of the write that is under way.
    writing: Option<Instant>,
}

/// Lines that found the queue full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error(
    "dropped {lines} lines of {bytes} bytes: the log queue of {} MiB was full; stderr was not read",
    QUEUE_BYTES_MAX >> 20
)]
pub(crate) struct Dropped {
    lines: usize,
    bytes: usize,
}

impl<W: Write> LogQueue<W> {
    pub(crate) const fn new(out: W) -> Self {
        LogQueue {
            state: Mutex::new(State {
                screen: Screen::new(),
                dropped: Dropped { lines: 0, bytes: 0 },
                has_writer: false,
                taken: 0,
                finished: 0,
                writing: None,
            }),
            filled: Condvar::new(),
            written: Condvar::new(),
            out: Mutex::new(out),
        }
    }

    /// Queues whole lines, each with its end, or drops them.
    pub(crate) fn lines(&self, lines: &str) {
        self.update(|state| {
            if state.accepts(lines) {
                state.screen.lines(lines);
            } else {
                state.dropped.add(lines);
            }
        });
    }

    /// Shows the guests that are being compiled; clears the line if there are none.
    pub(crate) fn compiling(&self, guests: &[&str]) {
        self.update(|state| state.screen.compiling(guests));
    }

    /// Waits until all that is queued now is written, for `time` at most.
    ///
    /// Gives up if the reader has read nothing for [`STALL_MAX`].
    pub(crate) fn flush(&self, time: Duration) {
        let begun = Instant::now();
        let mut state = self.state.lock();
        // Other threads may log endlessly, so that the queue need not become empty.
        let last = state.taken + u64::from(state.screen.has_output());
        self.filled.notify_one();
        while state.finished < last {
            let stalled = state.writing.map(|since| since.elapsed());
            let rest = [
                STALL_MAX.checked_sub(stalled.unwrap_or_default()),
                time.checked_sub(begun.elapsed()),
            ];
            // `None`, for a time that is over, is less than any rest.
            let Some(rest) = rest.into_iter().min().flatten() else {
                return;
            };
            self.written.wait_for(&mut state, rest);
        }
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        let was_empty = !state.screen.has_output();
        let bytes_before = state.screen.bytes();
        change(&mut state);
        let is_urgent = bytes_before < URGENT_BYTES && state.screen.bytes() >= URGENT_BYTES;
        let has_writer = state.has_writer;
        drop(state);
        if !has_writer {
            self.write_here();
        } else if was_empty || is_urgent {
            self.filled.notify_one();
        }
    }

    /// Writes all that is queued, on this thread.
    fn write_here(&self) {
        // The lock of the output comes first, so that the lines keep their order.
        let mut out = self.out.lock();
        let batch = self.state.lock().screen.take();
        write(&mut *out, batch.as_bytes());
    }
}

impl<W: Write + Send> LogQueue<W> {
    /// Starts the writer thread, which collects lines for the time `collect` before it writes them.
    ///
    /// Collecting costs less CPU time than a wake-up for each line. `report` returns the log line
    /// about dropped lines.
    ///
    /// # Errors
    ///
    /// If the system does not start the thread.
    pub(crate) fn start_writer(
        &'static self,
        collect: Duration,
        report: impl Fn(Dropped) -> String + Send + 'static,
    ) -> Result<(), ThreadError> {
        self.state.lock().has_writer = true;
        let write_all = move || {
            let mut out = self.out.lock();
            loop {
                let batch = self.next_batch(collect, &report);
                for piece in pieces(batch.as_bytes()) {
                    self.state.lock().writing = Some(Instant::now());
                    write(&mut *out, piece);
                    self.written.notify_all();
                }
            }
        };
        let started = thread::spawn("parigot log", write_all);
        self.state.lock().has_writer = started.is_ok();
        started.map(drop)
    }

    /// Waits for lines, and returns all that are queued.
    fn next_batch(&self, collect: Duration, report: &impl Fn(Dropped) -> String) -> String {
        let mut state = self.state.lock();
        state.finished = state.taken;
        state.writing = None;
        self.written.notify_all();
        while !state.screen.has_output() {
            self.filled.wait(&mut state);
        }
        if state.screen.bytes() < URGENT_BYTES && !collect.is_zero() {
            // Ends early if the lines are urgent, or if another thread flushes.
            self.filled.wait_for(&mut state, collect);
        }
        state.taken += 1;
        let dropped = std::mem::take(&mut state.dropped);
        if dropped.lines > 0 {
            state.screen.lines(&report(dropped));
        }
        state.screen.take()
    }
}

impl State {
    fn accepts(&self, lines: &str) -> bool {
        let queued = self.screen.bytes();
        // After a dropped line no other line is queued, even if there is room for a short one.
        let has_room = self.dropped.lines == 0 && queued + lines.len() <= QUEUE_BYTES_MAX;
        has_room || queued == 0 || !self.has_writer
    }
}

impl Dropped {
    fn add(&mut self, lines: &str) {
        self.lines += lines.matches('\n').count();
        self.bytes += lines.len();
    }
}

/// Divides text into pieces of whole lines, each of one write.
fn pieces(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_end = |byte: &u8| *byte == b'\n';
    std::iter::from_fn(move || {
        let end = if text.len() <= WRITE_BYTES_MAX {
            text.len()
        } else if let Some(end) = text[..WRITE_BYTES_MAX].iter().rposition(is_end) {
            end + 1
        } else {
            let end = text.iter().position(is_end);
            end.map_or(text.len(), |end| end + 1)
        };
        text.split_off(..end).filter(|piece| !piece.is_empty())
    })
}

/// Writes bytes and ignores errors: a closed log does not stop the deployment.
fn write(out: &mut impl Write, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Another process can have made the terminal or pipe non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, PipeReader, PipeWriter, pipe};

    use super::*;

    /// Starts a queue that writes to a pipe.
    fn start() -> (&'static LogQueue<PipeWriter>, PipeReader) {
        let (reader, writer) = pipe().expect("a process can have a few pipes");
        let queue: &LogQueue<_> = Box::leak(Box::new(LogQueue::new(writer)));
        queue
            .start_writer(Duration::from_millis(1), |dropped| format!("{dropped}\n"))
            .expect("the thread must start");
        (queue, reader)
    }

    fn numbered(line: usize) -> String {
        format!("{line:0>99}\n")
    }

    /// Lines that fill the queue several times.
    const MANY: usize = QUEUE_BYTES_MAX / 100 * 4;

    #[test]
    fn a_reader_that_keeps_up_gets_each_line_in_order() {
        let (queue, reader) = start();
        let mut lines = BufReader::new(reader).lines();
        for block in 0..10 {
            (block * 1_000..(block + 1) * 1_000).for_each(|line| queue.lines(&numbered(line)));
            for line in block * 1_000..(block + 1) * 1_000 {
                let read = lines.next().expect("the pipe must be open");
                assert_eq!(read.expect("the line must be text") + "\n", numbered(line));
            }
        }
    }

    #[test]
    fn dropped_lines_are_counted_in_the_gap() {
        let (queue, reader) = start();
        (0..MANY).for_each(|line| queue.lines(&numbered(line)));
        let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
        let mut kept = 0;
        let report = loop {
            let line = lines.next().expect("the pipe must be open");
            if line.starts_with("dropped") {
                break line;
            }
            assert_eq!(line + "\n", numbered(kept));
            kept += 1;
        };
        let dropped = Dropped {
            lines: MANY - kept,
            bytes: (MANY - kept) * 100,
        };
        assert_eq!(report, dropped.to_string());
        assert!(kept >= QUEUE_BYTES_MAX / 100, "{kept} lines were kept");
        queue.lines("after\n");
        assert_eq!(lines.next().as_deref(), Some("after"));
    }

    #[test]
    fn a_short_line_does_not_overtake_a_dropped_one() {
        let queue = LogQueue::new(Vec::new());
        let mut state = queue.state.lock();
        state.has_writer = true;
        let long = "x".repeat(QUEUE_BYTES_MAX) + "\n";
        assert!(state.accepts(&long), "the queue is empty");
        state.screen.lines("short\n");
        assert!(state.accepts("short\n"));
        assert!(!state.accepts(&long));
        state.dropped.add(&long);
        assert!(!state.accepts("short\n"));
    }

    #[test]
    fn a_flush_writes_all_that_is_queued() {
        let (queue, reader) = start();
        let read = std::thread::spawn(|| {
            let lines = BufReader::new(reader).lines();
            lines.map_while(Result::ok).take(20_000).count()
        });
        (0..20_000).for_each(|line| queue.lines(&numbered(line)));
        queue.flush(Duration::MAX);
        let state = queue.state.lock();
        assert_eq!((state.finished, state.screen.bytes()), (state.taken, 0));
        drop(state);
        assert_eq!(read.join().expect("the reader must not panic"), 20_000);
    }

    #[test]
    fn a_flush_gives_up_if_the_log_is_not_read() {
        let (queue, _reader) = start();
        (0..MANY).for_each(|line| queue.lines(&numbered(line)));
        queue.flush(Duration::MAX);
        let state = queue.state.lock();
        let stalled = state.writing.expect("the writer must be blocked");
        assert!(stalled.elapsed() >= STALL_MAX);
    }

    #[test]
    fn a_closed_log_stops_nothing() {
        let (queue, reader) = start();
        drop(reader);
        (0..1_000).for_each(|line| queue.lines(&numbered(line)));
        queue.flush(Duration::MAX);
        assert!(!queue.state.lock().screen.has_output());
    }

    #[test]
    fn without_a_writer_lines_are_written_at_once() {
        let queue = LogQueue::new(Vec::new());
        queue.lines("before\n");
        queue.compiling(&["hello"]);
        queue.lines("between\n");
        queue.compiling(&[]);
        let expected =
            "before\n\r\x1b[Kcompiling hello …\r\x1b[Kbetween\ncompiling hello …\r\x1b[K";
        let written = queue.out.into_inner();
        assert_eq!(String::from_utf8_lossy(&written), expected);
    }

    #[test]
    fn a_piece_has_whole_lines() {
        let long = "x".repeat(WRITE_BYTES_MAX) + "\n";
        let text = numbered(1).repeat(41) + &long + "a\nprogress …";
        let lengths: Vec<_> = pieces(text.as_bytes()).map(<[u8]>::len).collect();
        assert_eq!(lengths, [4_000, 100, long.len(), "a\nprogress …".len()]);
    }
}
