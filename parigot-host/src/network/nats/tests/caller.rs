//! A process that says whatever a test wants it to say.

use super::*;

/// Speaks the protocol by hand.
pub(super) struct Caller {
    stranger: Arc<Stranger>,
    pub(super) me: PeerId,
    pub(super) subjects: Subjects,
    /// What its wall clock says.
    pub(super) wall: Duration,
}

impl Caller {
    pub(super) fn on(stranger: &Arc<Stranger>, process: &str) -> Self {
        let me = PeerId {
            host: host_of(process),
            process: process.to_owned(),
        };
        let wall = Duration::from_nanos(SystemClock::new().wall_ns());
        Caller {
            stranger: Arc::clone(stranger),
            me,
            subjects: Subjects::of(APP),
            wall,
        }
    }

    pub(super) fn say(&self, subject: &str, word: PeerMessage) {
        self.stranger.publish(subject, self.me.write(word));
    }

    /// Hears who asks for the service.
    pub(super) fn questions(&self) -> Subscriber {
        self.stranger.listen(&self.subjects.who(SERVICE))
    }

    /// Says that it takes calls, when somebody wants to know.
    pub(super) fn offer_when_asked(&self, questions: &mut Subscriber) {
        self.stranger.next(questions);
        let announcement = Announcement::new(SERVICE.to_owned(), SCHEMA, Vec::new(), Stage::Ready);
        self.say(
            &self.subjects.ready(SERVICE),
            PeerMessage::Announcement(announcement),
        );
    }

    /// Waits until somebody takes calls.
    pub(super) fn wait_for_service(&self) {
        let mut ready = self.stranger.listen(&self.subjects.ready(SERVICE));
        self.say(
            &self.subjects.who(SERVICE),
            PeerMessage::Discovery(Discovery {}),
        );
        self.stranger.next(&mut ready);
    }

    /// Waits until somebody who takes calls has done that many times what is to be done with each beat; the first may have begun already.
    pub(super) fn wait_for_beats(&self, beats: usize) {
        let mut ready = self.stranger.listen(&self.subjects.ready(SERVICE));
        (0..beats).for_each(|_| _ = self.stranger.next(&mut ready));
    }

    /// Hears answers.
    pub(super) fn inbox(&self) -> Subscriber {
        self.stranger
            .listen(&format!("{}.*", self.subjects.inbox(self.me.host)))
    }

    fn header(&self, number: u128, remaining: Duration) -> CallHeader {
        let (method, remaining_ns) = ("FetchGreeting".to_owned(), remaining.as_nanos() as u64);
        CallHeader {
            call: call_id(number),
            method,
            remaining_ns,
            sent_ns: self.wall.as_nanos() as u64,
        }
    }

    /// Makes a call.
    pub(super) fn request(&self, number: u128, payload: &str, remaining: Duration) {
        let content = Content::Whole(Body::of(&[], &[], payload.as_bytes()).unwrap());
        self.call(RequestMessage::new(self.header(number, remaining), content));
    }

    /// Makes a call of which so many bytes are to follow.
    pub(super) fn announce_request(&self, number: u128, bytes: usize, remaining: Duration) {
        let lengths = Body::of(&[], &[], &vec![0; bytes]).unwrap().lengths;
        self.call(RequestMessage::new(
            self.header(number, remaining),
            Content::Chunked(lengths),
        ));
    }

    fn call(&self, request: RequestMessage) {
        self.say(
            &self.subjects.call(SERVICE, SCHEMA),
            PeerMessage::Request(request),
        );
    }

    pub(super) fn piece(&self, to: HostId, number: u128, piece: u32, bytes: Bytes) {
        self.say(
            &self.subjects.chunk(to, call_id(number)),
            PeerMessage::Chunk(Chunk {
                number: piece,
                bytes,
            }),
        );
    }

    pub(super) fn cancel(&self, to: HostId, number: u128) {
        self.say(
            &self.subjects.cancel(to),
            PeerMessage::Cancel(Cancel::new(call_id(number))),
        );
    }

    /// The next word about a call, which must be that one.
    pub(super) fn next(&self, inbox: &mut Subscriber, number: u128) -> PeerMessage {
        let message = self.stranger.next(inbox);
        assert_eq!(
            *message.subject,
            self.subjects.reply(self.me.host, call_id(number))
        );
        Envelope::read(message.payload).unwrap().1
    }

    /// How a call has failed, which must be that one.
    pub(super) fn told(&self, inbox: &mut Subscriber, number: u128) -> Told {
        let PeerMessage::Reply(answer) = self.next(inbox, number) else {
            panic!("no answer to {number}")
        };
        let Some(Content::Whole(body)) = answer.content() else {
            panic!("{answer:?}")
        };
        let (status, flags) = (answer.status, answer.flags());
        let (metadata, detail, payload) = body.parts();
        Told::of(&Reply {
            status,
            flags,
            metadata,
            detail,
            payload,
        })
    }
}
