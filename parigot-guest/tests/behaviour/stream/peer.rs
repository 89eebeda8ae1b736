//! Drives a guest with methods that stream, and prints its frames.

use parigot_abi::frame::{NO_DEADLINE, flags};
use parigot_abi::status::Detail;
use parigot_abi::{
    Cause, Code, Credit, Frame, Frames, Header, Kind, StreamContent, StreamFrame, TURN_OK,
};
use parigot_guest::prost::Message;
use parigot_guest::{
    Client, Context, Definition, Error, Exit, Export, Exports, Requirement, creation::Create,
};

use crate::feed::{Feed, FeedClient, FeedServer, Item};
use crate::harness::{Guest, Inbound, call_frame, frame, launched, start};

/// Indices of the methods of `Feed`.
pub(crate) const WATCH: u32 = 1;
pub(crate) const UPLOAD: u32 = 2;
pub(crate) const CHAT: u32 = 3;

/// A guest that serves or calls `Feed`. Calls of the guest are named by their order: `a`, `b`, …
pub(crate) struct Peer {
    pub(crate) guest: Guest,
    calls: Vec<u64>,
}

/// The services of a guest that exports `Feed` only.
pub(crate) struct FeedAlone;

/// The requirements of a guest that calls `Feed`.
pub(crate) const REQUIRES_FEED: &[Requirement] =
    &[Requirement::new(<FeedClient as Client>::SERVICE)];

impl<S: Feed + 'static> Exports<S> for FeedAlone {
    const ALL: &'static [Export<S>] = &[Export::new::<FeedServer<S>>()];
}

impl Peer {
    /// Opens a guest that serves `Feed` by an `S`, and runs it until it is ready for calls.
    pub(crate) fn serving<S: Create<Way> + Feed, Way: Default + 'static>() -> Self {
        Peer::serving_with::<S, Way>(1 << 20)
    }

    /// Opens a guest that serves `Feed`, with this limit on messages.
    pub(crate) fn serving_with<S: Create<Way> + Feed, Way: Default + 'static>(
        message_bytes_max: u32,
    ) -> Self {
        let definition = Definition::service::<S, FeedAlone, _>(&[], Way::default());
        let mut peer = Peer::open(definition, message_bytes_max);
        assert_eq!(peer.turn([launched(&[])]), ["reply 0: OK"]);
        peer
    }

    /// Opens a program that calls `Feed`, and launches it. Returns its frames, too.
    pub(crate) fn calling<F>(main: fn(Context) -> F) -> (Self, Vec<String>)
    where
        F: Future<Output = Result<Exit, Error>> + 'static,
    {
        let mut peer = Peer::open(Definition::program(main, REQUIRES_FEED), 1 << 20);
        let mut sent = peer.turn([launched(&[70])]);
        assert_eq!(sent.remove(0), "reply 0: OK");
        (peer, sent)
    }

    fn open(definition: Definition, message_bytes_max: u32) -> Self {
        let mut peer = Peer {
            guest: Guest::open(definition),
            calls: Vec::new(),
        };
        peer.turn([start(message_bytes_max)]);
        peer
    }

    /// Runs a turn. Returns a line for each frame in the outbox, except manifest and launch.
    pub(crate) fn turn(&mut self, frames: impl IntoIterator<Item = Inbound>) -> Vec<String> {
        let status = self.guest.turn_status(frames);
        assert_eq!(status, TURN_OK, "{}", self.guest.panic_text());
        let sent = self.guest.sent();
        let frames = Frames::new(&sent).map(|frame| frame.expect("frames must be valid"));
        frames.filter_map(|frame| self.line(&frame)).collect()
    }

    fn line(&mut self, frame: &Frame<'_>) -> Option<String> {
        let header = &frame.header;
        Some(match frame.kind().expect("the kind must be known") {
            Kind::Manifest | Kind::Launch => return None,
            Kind::Call => {
                self.calls.push(header.number);
                format!(
                    "call {}: {} {}",
                    self.letter(header.number),
                    header.method,
                    text(frame)
                )
            }
            Kind::Cancel => format!("cancel {}", self.letter(header.number)),
            Kind::Reply => format!("reply {}: {}", header.number, reply_text(frame)),
            Kind::Open => format!("open {}:{}", header.number, metadata(frame)),
            Kind::Log => String::from_utf8_lossy(frame.payload).into_owned(),
            Kind::Exit => format!("exit {}", header.status),
            _ => self.stream_line(&StreamFrame::read(frame).expect("frames must be valid")),
        })
    }

    fn stream_line(&self, frame: &StreamFrame<'_>) -> String {
        let call = if frame.is_to_callee {
            self.letter(frame.number).to_string()
        } else {
            frame.number.to_string()
        };
        match frame.content {
            StreamContent::Item(item) => format!("item {call}: {}", item_text(item)),
            StreamContent::Credit(Credit { items, bytes }) => {
                format!("credit {call}: {items} {bytes}")
            }
            StreamContent::End => format!("end {call}"),
        }
    }

    fn letter(&self, number: u64) -> char {
        let place = self.calls.iter().position(|known| *known == number);
        char::from(b'a' + place.expect("the call must have been made") as u8)
    }

    fn number(&self, letter: char) -> u64 {
        self.calls[letter as usize - 'a' as usize]
    }

    /// Returns a header for a frame to the guest about a call that the guest has made.
    fn header(&self, letter: char, kind: Kind) -> Header {
        Header {
            number: self.number(letter),
            ..Header::new(kind)
        }
    }

    /// Returns a response in the stream of a call that the guest has made.
    pub(crate) fn response(&self, letter: char, text: &str) -> Inbound {
        self.response_bytes(letter, &item(text))
    }

    pub(crate) fn response_bytes(&self, letter: char, payload: &[u8]) -> Inbound {
        let header = self.header(letter, Kind::Item);
        frame(header, |frame| frame.payload(payload))
    }

    /// Returns credit for the requests of a call that the guest has made.
    pub(crate) fn request_credit(&self, letter: char, items: u64, bytes: u64) -> Inbound {
        credit_frame(self.header(letter, Kind::Credit), items, bytes)
    }

    /// Returns response headers of a call that the guest has made.
    pub(crate) fn headers(&self, letter: char, key: &str, value: &str) -> Inbound {
        let header = self.header(letter, Kind::Open);
        frame(header, |frame| frame.metadata(key, value))
    }

    /// Returns the successful reply to a call of the guest.
    pub(crate) fn reply(&self, letter: char, payload: &[u8]) -> Inbound {
        let header = self.header(letter, Kind::Reply);
        frame(header, |frame| frame.metadata("cost", "1").payload(payload))
    }

    /// Returns a reply to a call of the guest with an error of the service.
    pub(crate) fn reply_error(&self, letter: char, error: u32) -> Inbound {
        let header = Header {
            flags: flags::SERVICE_ERROR,
            status: error,
            ..self.header(letter, Kind::Reply)
        };
        frame(header, |frame| frame)
    }
}

/// Returns a call of a method of `Feed`.
pub(crate) fn call(number: u64, method: u32, text: &str) -> Inbound {
    call_by(number, method, text, NO_DEADLINE)
}

/// Returns a call with a deadline.
pub(crate) fn call_by(number: u64, method: u32, text: &str, deadline_ns: u64) -> Inbound {
    let header = Header {
        number,
        method,
        deadline_ns,
        ..Header::new(Kind::Call)
    };
    call_frame(header, &item(text))
}

/// Returns a request in the stream of a call that the guest serves.
pub(crate) fn request(number: u64, text: &str) -> Inbound {
    request_bytes(number, &item(text))
}

pub(crate) fn request_bytes(number: u64, payload: &[u8]) -> Inbound {
    frame(to_callee(number, Kind::Item), |frame| {
        frame.payload(payload)
    })
}

/// Returns the end of the requests of a call that the guest serves.
pub(crate) fn end(number: u64) -> Inbound {
    frame(to_callee(number, Kind::End), |frame| frame)
}

/// Returns credit for the responses of a call that the guest serves.
pub(crate) fn credit(number: u64, items: u64, bytes: u64) -> Inbound {
    credit_frame(to_callee(number, Kind::Credit), items, bytes)
}

fn to_callee(number: u64, kind: Kind) -> Header {
    Header {
        number,
        flags: flags::TO_CALLEE,
        ..Header::new(kind)
    }
}

fn credit_frame(header: Header, items: u64, bytes: u64) -> Inbound {
    let credit = Credit { items, bytes }.to_bytes();
    frame(header, |frame| frame.payload(&credit))
}

fn item(text: &str) -> Vec<u8> {
    Item { text: text.into() }.encode_to_vec()
}

/// Returns the text of an item; a long one is counted.
fn item_text(payload: &[u8]) -> String {
    let text = Item::decode(payload).expect("the item must be valid").text;
    if text.len() > 40 {
        format!("{} bytes", payload.len())
    } else {
        text
    }
}

fn text(frame: &Frame<'_>) -> String {
    item_text(frame.payload)
}

fn metadata(frame: &Frame<'_>) -> String {
    let pairs = frame.metadata_pairs();
    let text = |pair: Result<(&str, &str), _>| {
        let (key, value) = pair.expect("metadata must be valid");
        format!(" {key}={value}")
    };
    pairs.map(text).collect()
}

fn reply_text(frame: &Frame<'_>) -> String {
    let status = frame.header.status;
    let trailers = metadata(frame);
    if frame.header.flags & flags::SERVICE_ERROR != 0 {
        return format!("error {status}{trailers}");
    }
    let Detail { cause, message, .. } = Detail::read(frame.detail);
    match Code::from_number(status).expect("the code must be known") {
        Code::Ok => format!("OK{trailers}{}", payload_text(frame.payload)),
        code if cause == Cause::Answered => format!("{code}: {message}{trailers}"),
        code => format!("{code} ({cause}): {message}{trailers}"),
    }
}

/// Returns the number in a `Receipt`.
fn payload_text(payload: &[u8]) -> String {
    match payload {
        [] => String::new(),
        payload => format!(" {:?}", payload),
    }
}
