//! The chat: a stream in both directions.

use parigot_guest::{Context, Requests, Responses, Status};
use stubs::chat::v1::{Chat, ChatServer, Note};

#[derive(Default)]
struct Host;

impl Chat for Host {
    async fn talk(
        &self,
        _: &Context,
        requests: &mut Requests<Note>,
        responses: &mut Responses<Note>,
    ) -> Result<(), Status> {
        while let Some(note) = requests.next().await? {
            match &*note.text {
                "bye" => {
                    responses.send(answer("see you")).await?;
                    // The call ends here, although the caller has not ended its notes.
                    break;
                }
                text if text.ends_with('?') => responses.send(answer("yes")).await?,
                _ => {}
            }
        }
        Ok(())
    }
}

fn answer(text: &str) -> Note {
    Note { text: text.into() }
}

parigot_guest::service!(Host, exports(ChatServer));

#[cfg(test)]
mod tests {
    use parigot_guest::testing::{TestCall, TestGuest};
    use stubs::chat::v1::chat;

    use super::*;

    #[test]
    fn questions_are_answered_until_the_farewell() {
        let mut run = TestGuest::new(GUEST).start();
        let talk = run.open(TestCall::<chat::Talk>::streaming());
        for text in ["hello", "is it warm?", "bye"] {
            run.send(&talk, answer(text));
        }
        for expected in ["yes", "see you"] {
            let note = run.next(&talk).expect("the chat must not fail");
            assert_eq!(note, Some(answer(expected)));
        }
        assert_eq!(run.next(&talk).expect("the chat must not fail"), None);
    }
}
