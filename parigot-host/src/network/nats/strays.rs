//! Messages that nobody here can have been meant by.

use super::desk::Desk;

/// How often strays are told, in beats.
const STRAYS_EVERY: u32 = 10;
/// So much is told of the subject of one.
const SUBJECT_CHARS_MAX: usize = 128;

/// Messages that were none of ours.
#[derive(Default)]
pub(super) struct Strays {
    count: u64,
    last: String,
    beats: u32,
}

impl Strays {
    pub(super) fn add(&mut self, subject: &str) {
        self.count += 1;
        self.last.clear();
        self.last.extend(subject.chars().flat_map(char::escape_debug).take(SUBJECT_CHARS_MAX));
    }

    /// Tells once in a while what was dropped.
    pub(super) fn beat(&mut self, desk: &Desk) {
        self.beats += 1;
        if self.count > 0 && self.beats >= STRAYS_EVERY {
            let Strays { count, last, .. } = std::mem::take(self);
            let messages = if count == 1 { "a message" } else { "messages" };
            desk.log.warn(&format!(
                "dropped {messages} of NATS that this process can make nothing of ({count}), the last on {last}"
            ));
        }
    }
}
