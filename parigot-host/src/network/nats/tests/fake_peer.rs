//! Process that sends the messages that a test chooses.

use super::*;

/// Process without a transport, which encodes and decodes its messages itself.
pub(super) struct FakePeer {
    client: Arc<RawClient>,
    pub(super) me: PeerId,
    pub(super) subjects: Subjects,
    /// Time of the wall clock in the headers of calls.
    pub(super) wall: Duration,
}

impl FakePeer {
    pub(super) fn on(client: &Arc<RawClient>, process: &str) -> Self {
        let me = PeerId {
            host: host_of(process),
            process: process.to_owned(),
        };
        let wall = Duration::from_nanos(SystemClock::new().wall_ns());
        FakePeer {
            client: Arc::clone(client),
            me,
            subjects: Subjects::of(APP),
            wall,
        }
    }

    pub(super) fn publish(&self, subject: &str, message: PeerMessage) {
        self.client.publish(subject, self.me.write(message));
    }

    /// Subscribes to discovery messages about the service.
    pub(super) fn questions(&self) -> Subscriber {
        self.client.listen(&self.subjects.query(SERVICE))
    }

    /// Waits for a discovery message, and announces the service.
    pub(super) fn offer_when_asked(&self, questions: &mut Subscriber) {
        self.client.next(questions);
        self.announce();
    }

    /// Announces the service.
    pub(super) fn announce(&self) {
        let announcement = Announcement::new(SERVICE.to_owned(), SCHEMA, Vec::new(), Stage::Ready);
        self.publish(
            &self.subjects.ready(SERVICE),
            PeerMessage::Announcement(announcement),
        );
    }

    /// Waits until a process announces the service.
    pub(super) fn wait_for_service(&self) {
        let mut ready = self.client.listen(&self.subjects.ready(SERVICE));
        self.publish(
            &self.subjects.query(SERVICE),
            PeerMessage::Discovery(Discovery::default()),
        );
        self.client.next(&mut ready);
    }

    /// Waits for a number of heartbeats of a process that offers the service. The first may belong
    /// to a beat that had begun before the call.
    pub(super) fn wait_for_beats(&self, beats: usize) {
        let mut ready = self.client.listen(&self.subjects.ready(SERVICE));
        (0..beats).for_each(|_| _ = self.client.next(&mut ready));
    }

    /// Subscribes to the replies for this process.
    pub(super) fn inbox(&self) -> Subscriber {
        self.client
            .listen(&format!("{}.*", self.subjects.inbox(self.me.host)))
    }

    fn header(&self, number: u128, remaining: Duration) -> CallHeader {
        let (method, remaining_ns) = ("FetchGreeting".to_owned(), remaining.as_nanos() as u64);
        CallHeader {
            call: call_id(number),
            method,
            remaining_ns,
            sent_ns: self.wall.as_nanos() as u64,
            has_default_deadline: false,
            streams: MethodFlags::UNARY,
            covers_first_frame: false,
        }
    }

    /// Sends a request.
    pub(super) fn request(&self, number: u128, payload: &str, remaining: Duration) {
        let content = Content::Whole(Body::of(&[], &[], payload.as_bytes()).unwrap());
        self.call(RequestMessage::new(self.header(number, remaining), content));
    }

    /// Opens a stream.
    pub(super) fn open(&self, number: u128, streams: MethodFlags) {
        let header = CallHeader {
            streams,
            covers_first_frame: true,
            ..self.header(number, WAIT_MAX)
        };
        let body = Body::of(&[], &[], &[]).unwrap();
        self.call(RequestMessage::new(header, Content::Whole(body)));
    }

    /// Sends the header of a request whose body of `bytes` follows in chunks.
    pub(super) fn announce_request(&self, number: u128, bytes: usize, remaining: Duration) {
        let lengths = Body::of(&[], &[], &vec![0; bytes]).unwrap().lengths;
        self.call(RequestMessage::new(
            self.header(number, remaining),
            Content::Chunked(lengths),
        ));
    }

    /// Announces a request and waits until the callee asks for its chunks.
    pub(super) fn begin_request(
        &self,
        answers: &mut Subscriber,
        number: u128,
        bytes: usize,
        remaining: Duration,
    ) {
        self.announce_request(number, bytes, remaining);
        let answer = self.next(answers, number);
        assert!(matches!(answer, PeerMessage::Continue(_)), "{answer:?}");
    }

    fn call(&self, request: RequestMessage) {
        self.publish(
            &self.subjects.call(SERVICE, SCHEMA),
            PeerMessage::Request(request),
        );
    }

    pub(super) fn piece(&self, to: HostId, number: u128, piece: u32, bytes: Bytes) {
        self.publish(
            &self.subjects.chunk(to, call_id(number)),
            PeerMessage::Chunk(Chunk {
                number: piece,
                bytes,
            }),
        );
    }

    pub(super) fn cancel(&self, to: HostId, number: u128) {
        self.publish(
            &self.subjects.cancel(to),
            PeerMessage::Cancel(Cancel::new(call_id(number))),
        );
    }

    /// Returns the next message about a call, and checks the number of the call.
    pub(super) fn next(&self, inbox: &mut Subscriber, number: u128) -> PeerMessage {
        let message = self.client.next(inbox);
        assert_eq!(
            *message.subject,
            self.subjects.reply(self.me.host, call_id(number))
        );
        Envelope::read(message.payload).unwrap().1
    }

    /// Returns the failure of a call, and checks the number of the call.
    pub(super) fn told(&self, inbox: &mut Subscriber, number: u128) -> FailedCall {
        let PeerMessage::Reply(answer) = self.next(inbox, number) else {
            panic!("no answer to {number}")
        };
        let Some(Content::Whole(body)) = answer.content() else {
            panic!("{answer:?}")
        };
        let (status, flags) = (answer.status, answer.flags());
        let BodyParts {
            headers,
            metadata,
            detail,
            payload,
        } = body.parts();
        FailedCall::of(&Reply {
            status,
            flags,
            headers,
            metadata,
            detail,
            payload,
        })
    }
}
