//! Messages that the protocol does not define: the error, and the counter for the log.

/// Heartbeats between two reports in the log.
const REPORT_EVERY: u32 = 10;
/// Longest subject in a report in characters.
const SUBJECT_CHARS_MAX: usize = 128;

/// Error of a message that is invalid on its subscription. The message has no effect.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unexpected;

/// Counter of unexpected messages.
#[derive(Default)]
pub(super) struct UnexpectedMessages {
    count: u64,
    last_subject: String,
    /// Heartbeats since the last report.
    heartbeats: u32,
}

impl UnexpectedMessages {
    pub(super) fn add(&mut self, subject: &str) {
        self.count += 1;
        self.last_subject.clear();
        // The subject comes from an unknown sender and must not control the terminal.
        self.last_subject.extend(
            subject
                .chars()
                .flat_map(char::escape_debug)
                .take(SUBJECT_CHARS_MAX),
        );
    }

    /// Counts a heartbeat and returns a report if one is due. Reports are rare, so that a sender
    /// of many messages cannot fill the log.
    pub(super) fn heartbeat(&mut self) -> Option<String> {
        self.heartbeats += 1;
        if self.count == 0 || self.heartbeats < REPORT_EVERY {
            return None;
        }
        let UnexpectedMessages {
            count,
            last_subject,
            ..
        } = std::mem::take(self);
        let plural = if count == 1 { "" } else { "s" };
        Some(format!(
            "dropped {count} unexpected message{plural}, last on subject {last_subject}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the reports of a number of heartbeats.
    fn reports(unexpected: &mut UnexpectedMessages, heartbeats: u32) -> Vec<String> {
        (0..heartbeats)
            .filter_map(|_| unexpected.heartbeat())
            .collect()
    }

    #[test]
    fn messages_are_reported_at_most_every_ten_heartbeats() {
        let mut unexpected = UnexpectedMessages::default();
        unexpected.add("parigot.shop.ready.x");
        let one = "dropped 1 unexpected message, last on subject parigot.shop.ready.x";
        assert_eq!(reports(&mut unexpected, REPORT_EVERY), [one]);
        unexpected.add("parigot.shop.query.x");
        assert_eq!(reports(&mut unexpected, REPORT_EVERY - 1), [""; 0]);
        unexpected.add("$SRV.\u{1b}[2J");
        let two = "dropped 2 unexpected messages, last on subject $SRV.\\u{1b}[2J";
        assert_eq!(reports(&mut unexpected, 1), [two]);
        assert_eq!(
            reports(&mut unexpected, 2 * REPORT_EVERY),
            [""; 0],
            "no message must mean no report"
        );
        unexpected.add(&"x".repeat(1_000));
        let [long] = &reports(&mut unexpected, 1)[..] else {
            panic!("a message after a long pause must be reported at once")
        };
        assert!(
            long.ends_with(&format!(" on subject {}", "x".repeat(SUBJECT_CHARS_MAX))),
            "{long}"
        );
    }
}
