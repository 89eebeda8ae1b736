//! Fuzz target: messages of other processes and of the server.

use bytes::Bytes;

use super::denial::Denial;
use super::envelope::{Content, Envelope, PeerMessage};
use super::subjects::{Subjects, call_of};

/// Reads `data` as a message of another process, and as the text of an error of the server.
///
/// # Panics
///
/// If a message that was read is another one when it is written and read again.
pub fn nats_message(data: &[u8]) {
    match Envelope::read(Bytes::copy_from_slice(data)) {
        Ok((from, message)) => {
            let content = match &message {
                PeerMessage::Request(request) => request.content(),
                PeerMessage::Reply(reply) => reply.content(),
                _ => None,
            };
            if let Some(Content::Whole(body)) = content {
                body.parts();
            }
            let again = Envelope::read(from.write(message.clone()));
            assert_eq!(again, Ok((from, message)));
        }
        Err(error) => _ = error.to_string(),
    }
    let text = String::from_utf8_lossy(data);
    let subjects = Subjects::of("fuzz");
    if let Some(denial) = Denial::read(&text) {
        denial.is_needed(&subjects);
        denial.import(&subjects);
        denial.action();
        denial.next_step(&subjects);
    }
    subjects.split(&text);
    call_of(&text);
}
