//! Messages that nobody here can have been meant by.

/// How often strays are told, in beats.
const UNEXPECTED_EVERY: u32 = 10;
/// So much is told of the subject of one.
const SUBJECT_CHARS_MAX: usize = 128;

/// A letter that is not what belongs where it came: nothing follows from it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unexpected;

/// Messages that were none of ours.
#[derive(Default)]
pub(super) struct UnexpectedMessages {
    count: u64,
    last: String,
    beats: u32,
}

impl UnexpectedMessages {
    pub(super) fn add(&mut self, subject: &str) {
        self.count += 1;
        self.last.clear();
        self.last.extend(
            subject
                .chars()
                .flat_map(char::escape_debug)
                .take(SUBJECT_CHARS_MAX),
        );
    }

    /// Says once in a while what was dropped.
    pub(super) fn beat(&mut self) -> Option<String> {
        self.beats += 1;
        if self.count == 0 || self.beats < UNEXPECTED_EVERY {
            return None;
        }
        let UnexpectedMessages { count, last, .. } = std::mem::take(self);
        let messages = if count == 1 { "a message" } else { "messages" };
        Some(format!(
            "dropped {messages} of NATS that this process can make nothing of ({count}), the last on {last}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told in so many beats.
    fn told(unexpected: &mut UnexpectedMessages, beats: u32) -> Vec<String> {
        (0..beats).filter_map(|_| unexpected.beat()).collect()
    }

    #[test]
    fn strays_are_told_all_together_and_not_more_often_than_every_ten_beats() {
        let mut unexpected = UnexpectedMessages::default();
        unexpected.add("parigot.pizzeria.ready.x");
        let one = "dropped a message of NATS that this process can make nothing of (1), the last on parigot.pizzeria.ready.x";
        assert_eq!(told(&mut unexpected, UNEXPECTED_EVERY), [one]);
        unexpected.add("parigot.pizzeria.who.x");
        assert_eq!(told(&mut unexpected, UNEXPECTED_EVERY - 1), [""; 0]);
        unexpected.add("$SRV.\u{1b}[2J");
        let two = "dropped messages of NATS that this process can make nothing of (2), the last on $SRV.\\u{1b}[2J";
        assert_eq!(told(&mut unexpected, 1), [two]);
        assert_eq!(
            told(&mut unexpected, 2 * UNEXPECTED_EVERY),
            [""; 0],
            "there is nothing new"
        );
        unexpected.add(&"x".repeat(1_000));
        let [long] = &told(&mut unexpected, 1)[..] else {
            panic!("after a long silence it is told at once")
        };
        assert!(
            long.ends_with(&format!(" on {}", "x".repeat(SUBJECT_CHARS_MAX))),
            "{long}"
        );
    }
}
