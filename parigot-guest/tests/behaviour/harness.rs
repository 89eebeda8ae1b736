//! Drives one guest through its exported functions, as a host would, and prints the frames that it leaves.
//!
//! Calls that leave are called `a`, `b`, `c` in their order; handles of required services are 70, 71, …

use parigot_abi::control::{CONTROL_BYTES, ControlView, NEVER, NO_CALL, YIELD_NOW_OFFSET};
use parigot_abi::frame::{Level, NO_DEADLINE, flags};
use parigot_abi::id::{CallId, InstanceId};
use parigot_abi::status::Detail;
use parigot_abi::{
    Cause, Code, Frame, FrameBuilder, Frames, Header, Kind, MESSAGE_BYTES_MAX, Manifest, Prologue,
    Start, TURN_OK, VERSION, manifest,
};
use parigot_guest::prost::Message;
use parigot_guest::{
    Client, Context, Definition, Error, Exit, Export, Exports, Ready, Service, turn,
};

use crate::greeting::{
    FetchGreetingRequest, FetchGreetingResponse, Greeting, GreetingClient, GreetingServer,
};

/// A frame for the guest, whole.
pub(crate) type Inbound = Vec<u8>;

/// A guest and the time that it is told.
pub(crate) struct Guest {
    control: usize,
    /// Monotonic time of the turns to come.
    pub(crate) now_ns: u64,
    /// Tasks that each turn may poll.
    pub(crate) max_polls: u32,
    /// The largest message, said at the start.
    pub(crate) message_bytes_max: u32,
    calls: Vec<u64>,
}

/// What a guest exports that is nothing but a `Greeting`.
struct GreetingAlone;

impl<S: Ready + Greeting> Exports<S> for GreetingAlone {
    const ALL: &'static [Export<S>] = &[Export::new::<GreetingServer<S>>()];
}

impl Guest {
    pub(crate) fn open(definition: Definition) -> Self {
        let control = turn::open(definition);
        let message_bytes_max = MESSAGE_BYTES_MAX;
        Guest {
            control,
            now_ns: 1_000,
            max_polls: u32::MAX,
            message_bytes_max,
            calls: Vec::new(),
        }
    }

    /// A guest that has been told nothing yet and exports `S` as `Greeting`.
    pub(crate) fn service<S: Ready + Greeting>() -> Self {
        const REQUIRES: &[&Service] = &[<GreetingClient as Client>::SERVICE];
        Guest::open(Definition::service::<S, GreetingAlone>(REQUIRES))
    }

    /// A service that is ready for calls.
    pub(crate) fn serving<S: Ready + Greeting>() -> Self {
        let mut guest = Guest::service::<S>();
        guest.start();
        assert_eq!(guest.turn([launched(&[70])]), ["reply 0: OK"]);
        guest
    }

    /// A guest that has been told nothing yet, requires `Greeting` and runs `main`.
    pub(crate) fn program<F>(main: fn(Context) -> F) -> Self
    where
        F: Future<Output = Result<Exit, Error>> + 'static,
    {
        Guest::open(Definition::program(
            main,
            &[<GreetingClient as Client>::SERVICE],
        ))
    }

    /// A program that has been told its start, and what it left besides the manifest.
    pub(crate) fn started<F>(main: fn(Context) -> F) -> (Self, Vec<String>)
    where
        F: Future<Output = Result<Exit, Error>> + 'static,
    {
        let mut guest = Guest::program(main);
        let trace = guest.start();
        (guest, trace)
    }

    /// The first turn. Returns what the guest left besides the manifest.
    pub(crate) fn start(&mut self) -> Vec<String> {
        let start = start(self.message_bytes_max);
        let mut trace = self.turn([start]);
        assert!(
            trace.remove(0).starts_with("manifest"),
            "the first frame is the manifest"
        );
        trace
    }

    /// One turn in which all goes well. Returns a line for each frame that the guest left.
    pub(crate) fn turn(&mut self, frames: impl IntoIterator<Item = Inbound>) -> Vec<String> {
        assert_eq!(self.turn_status(frames), TURN_OK, "{}", self.panic_text());
        self.outbox()
    }

    /// One turn. Returns its status.
    pub(crate) fn turn_status(&mut self, frames: impl IntoIterator<Item = Inbound>) -> u32 {
        let prologue = Prologue {
            monotonic_ns: self.now_ns,
            wall_ns: self.now_ns + 1_000_000_000,
        };
        let mut inbox = prologue.to_bytes().to_vec();
        frames.into_iter().for_each(|frame| inbox.extend(frame));
        self.turn_raw(&inbox)
    }

    /// One turn with that inbox. Returns its status.
    pub(crate) fn turn_raw(&mut self, inbox: &[u8]) -> u32 {
        if self.view().inbox_capacity < inbox.len() as u64 {
            // SAFETY: the guest is open until `self` is dropped.
            unsafe { turn::inbox(self.control, inbox.len()) };
        }
        let address =
            std::ptr::with_exposed_provenance_mut::<u8>(self.view().inbox_address as usize);
        // SAFETY: the inbox has that capacity, and the guest does not run now; the control block is the guest's.
        unsafe {
            address.copy_from_nonoverlapping(inbox.as_ptr(), inbox.len());
            turn::turn(self.control, inbox.len(), self.max_polls)
        }
    }

    pub(crate) fn view(&self) -> ControlView {
        let bytes = memory(self.control as u64, CONTROL_BYTES as u64);
        ControlView::read(bytes.as_slice().try_into().expect("a control block's size"))
    }

    pub(crate) fn panic_text(&self) -> String {
        let view = self.view();
        assert!(view.panic_bytes <= view.panic_capacity);
        String::from_utf8(memory(view.panic_address, view.panic_bytes))
            .expect("a panic's text is UTF-8")
    }

    /// When the guest wants its next turn, or `None`.
    pub(crate) fn wake_at_ns(&self) -> Option<u64> {
        Some(self.view().wake_at_ns).filter(|at| *at != NEVER)
    }

    /// Where the host asks for the end of a turn.
    pub(crate) fn yield_cell(&self) -> usize {
        self.control + YIELD_NOW_OFFSET
    }

    fn outbox(&mut self) -> Vec<String> {
        let view = self.view();
        let bytes = memory(view.outbox_address, view.outbox_committed);
        Frames::new(&bytes)
            .map(|frame| self.line(&frame.expect("a frame of the guest is whole")))
            .collect()
    }

    fn line(&mut self, frame: &Frame<'_>) -> String {
        let header = &frame.header;
        match frame.kind().expect("a kind of this version") {
            Kind::Manifest => {
                manifest_line(&Manifest::read(frame.payload).expect("a manifest is whole"))
            }
            Kind::Launch => "launch".into(),
            Kind::Call => {
                self.calls.push(header.number);
                format!("call {}: {}", self.letter(header.number), call_text(frame))
            }
            Kind::Reply => format!("reply {}: {}", header.number, reply_text(frame)),
            Kind::Cancel => format!("cancel {}", self.letter(header.number)),
            Kind::Log => log_line(frame),
            Kind::Exit => format!(
                "exit {}{}",
                header.status,
                after(": ", &text(frame.payload))
            ),
            kind => panic!("a guest sends no {kind:?}"),
        }
    }

    fn letter(&self, number: u64) -> char {
        let place = self
            .calls
            .iter()
            .rposition(|known| *known == number)
            .expect("a call that was made");
        char::from(b'a' + place as u8)
    }

    fn number(&self, letter: char) -> u64 {
        self.calls[letter as usize - 'a' as usize]
    }

    /// A reply with that greeting.
    pub(crate) fn reply(&self, letter: char, greeting: &str) -> Inbound {
        let payload = FetchGreetingResponse {
            greeting: greeting.into(),
        }
        .encode_to_vec();
        self.reply_payload(letter, &payload)
    }

    /// A reply with that payload.
    pub(crate) fn reply_payload(&self, letter: char, payload: &[u8]) -> Inbound {
        let header = Header {
            number: self.number(letter),
            ..Header::new(Kind::Reply)
        };
        frame(header, |frame| frame.payload(payload))
    }

    /// A reply with that number of the service's error enum.
    pub(crate) fn reply_error(&self, letter: char, error: i32) -> Inbound {
        let flags = flags::SERVICE_ERROR;
        let header = Header {
            number: self.number(letter),
            flags,
            status: error as u32,
            ..Header::new(Kind::Reply)
        };
        frame(header, |frame| frame)
    }

    /// A reply with that failure.
    pub(crate) fn reply_failure(
        &self,
        letter: char,
        code: Code,
        cause: Cause,
        message: &str,
    ) -> Inbound {
        let id = CallId::from_random(42).to_wire();
        let header = Header {
            number: self.number(letter),
            status: code.number(),
            id,
            ..Header::new(Kind::Reply)
        };
        frame(header, |frame| frame.detail(&Detail::new(cause, message)))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // SAFETY: the guest is open, and used for the last time.
        unsafe { turn::close(self.control) };
    }
}

fn memory(address: u64, bytes: u64) -> Vec<u8> {
    let start = std::ptr::with_exposed_provenance::<u8>(address as usize);
    // SAFETY: the control block says so; the guest does not run now.
    unsafe { std::slice::from_raw_parts(start, bytes as usize) }.to_vec()
}

fn manifest_line(manifest: &Manifest) -> String {
    let list = |services: &[manifest::Service]| match services {
        [] => "nothing".into(),
        _ => services
            .iter()
            .map(service_text)
            .collect::<Vec<_>>()
            .join(", "),
    };
    format!(
        "manifest: exports {}; requires {}",
        list(&manifest.exports),
        list(&manifest.requires)
    )
}

fn service_text(service: &manifest::Service) -> String {
    let methods: Vec<_> = service.methods.iter().map(method_text).collect();
    let descriptors = after(" with ", &text(&service.descriptors));
    format!(
        "{}({})#{}{descriptors}",
        service.name,
        methods.join(" "),
        service.schema
    )
}

fn method_text(
    manifest::Method {
        name,
        budget_ns,
        deadline_ns,
    }: &manifest::Method,
) -> String {
    match (budget_ns, deadline_ns) {
        (0, 0) => name.clone(),
        _ => format!("{name}[budget {budget_ns}, deadline {deadline_ns}]"),
    }
}

fn call_text(frame: &Frame<'_>) -> String {
    let header = &frame.header;
    let request = FetchGreetingRequest::decode(frame.payload).expect("a request is whole");
    let deadline = match header.deadline_ns {
        NO_DEADLINE => String::new(),
        deadline => format!(", by {deadline}"),
    };
    let pairs = frame
        .metadata_pairs()
        .map(|pair| pair.expect("metadata is whole"));
    let metadata: String = pairs
        .map(|(key, value)| format!(", {key}={value}"))
        .collect();
    format!(
        "{}.{} tongue {}{deadline}{metadata}",
        header.service, header.method, request.tongue
    )
}

fn reply_text(frame: &Frame<'_>) -> String {
    let status = frame.header.status;
    if frame.header.flags & flags::SERVICE_ERROR != 0 {
        return format!("error {}", status as i32);
    }
    let code = Code::from_number(status).expect("a code of this version");
    if code != Code::Ok {
        let Detail { cause, message, .. } = Detail::read(frame.detail);
        return format!("{code} ({cause}){}", after(": ", &message));
    }
    let response = FetchGreetingResponse::decode(frame.payload).expect("a response is whole");
    format!("OK{}", after(" ", &response.greeting))
}

fn log_line(frame: &Frame<'_>) -> String {
    let level = Level::from_number(frame.header.status).expect("a level of this version");
    let call = match frame.header.number {
        NO_CALL => String::new(),
        number => format!(" for {number}"),
    };
    format!("{level:?}{call}: {}", text(frame.payload))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text is UTF-8")
}

fn after(separator: &str, text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("{separator}{text}")
    }
}

/// A frame, parts by `build`.
pub(crate) fn frame(
    header: Header,
    build: impl FnOnce(FrameBuilder<'_>) -> FrameBuilder<'_>,
) -> Inbound {
    let mut bytes = Vec::new();
    build(FrameBuilder::new(&mut bytes, header))
        .finish()
        .expect("a test's frame is short");
    bytes
}

/// The start, with one argument and one variable.
pub(crate) fn start(message_bytes_max: u32) -> Inbound {
    start_frame(message_bytes_max, false)
}

/// The same from a host that wants descriptors.
pub(crate) fn start_and_describe() -> Inbound {
    start_frame(1 << 20, true)
}

fn start_frame(message_bytes_max: u32, descriptors: bool) -> Inbound {
    let start = Start {
        host: VERSION,
        message_bytes_max,
        seed: [7; 32],
        instance: InstanceId::from_random(1).to_wire(),
        descriptors,
        args: vec!["--tongue", "french"],
        env: vec![("GREETING", "loud"), ("GREETING", "quiet")],
    };
    let mut bytes = Vec::new();
    start.write(&mut bytes).expect("a test's frame is short");
    bytes
}

/// All that the guest requires is ready.
pub(crate) fn launched(handles: &[u32]) -> Inbound {
    let payload: Vec<u8> = handles
        .iter()
        .flat_map(|handle| handle.to_le_bytes())
        .collect();
    frame(Header::new(Kind::Launched), |frame| frame.payload(&payload))
}

/// A call of `Greeting.FetchGreeting`.
pub(crate) fn call(number: u64, tongue: i32) -> Inbound {
    call_by(number, tongue, NO_DEADLINE)
}

/// The same with a deadline.
pub(crate) fn call_by(number: u64, tongue: i32, deadline_ns: u64) -> Inbound {
    let payload = FetchGreetingRequest { tongue }.encode_to_vec();
    call_frame(
        Header {
            number,
            deadline_ns,
            ..Header::new(Kind::Call)
        },
        &payload,
    )
}

/// A call as that header says, with that payload, an id, and metadata.
pub(crate) fn call_frame(header: Header, payload: &[u8]) -> Inbound {
    let id = CallId::from_random(header.number.into()).to_wire();
    frame(Header { id, ..header }, |frame| {
        frame
            .metadata("user", "ann")
            .metadata("user", "bob")
            .payload(payload)
    })
}

/// Nobody waits for that call any more.
pub(crate) fn cancel(number: u64) -> Inbound {
    frame(
        Header {
            number,
            ..Header::new(Kind::Cancel)
        },
        |frame| frame,
    )
}

/// The guest shall leave.
pub(crate) fn stop() -> Inbound {
    frame(Header::new(Kind::Stop), |frame| frame)
}
