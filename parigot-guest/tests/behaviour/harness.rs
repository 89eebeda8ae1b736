//! Drives one guest through its exported functions like a host, and prints the frames it sends.
//!
//! Outbound calls are named `a`, `b`, `c` in their order. Handles of required services are 70, 71,
//! …

use parigot_abi::control::{CONTROL_BYTES, ControlView, NEVER, NO_CALL, YIELD_NOW_OFFSET};
use parigot_abi::frame::{Level, NO_DEADLINE, flags};
use parigot_abi::id::{CallId, InstanceId};
use parigot_abi::manifest::MethodFlags;
use parigot_abi::status::Detail;
use parigot_abi::{
    Cause, Code, Frame, FrameBuilder, Frames, Header, Kind, MESSAGE_BYTES_MAX, Manifest, Prologue,
    Start, TURN_OK, VERSION, manifest,
};
use parigot_guest::prost::Message;
use parigot_guest::{
    Client, Context, Definition, Error, Exit, Export, Exports, Requirement, creation::Create, turn,
};

use crate::greeting::{
    FetchGreetingRequest, FetchGreetingResponse, Greeting, GreetingClient, GreetingServer,
};

/// A whole frame for the guest.
pub(crate) type Inbound = Vec<u8>;

/// A guest and its clock.
pub(crate) struct Guest {
    control: usize,
    /// Monotonic time of the next turn.
    pub(crate) now_ns: u64,
    /// Largest number of polls in a turn.
    pub(crate) max_polls: u32,
    /// Largest message in bytes, sent in the start frame.
    pub(crate) message_bytes_max: u32,
    calls: Vec<u64>,
}

/// Exports of a guest with `Greeting` as its only service.
struct GreetingAlone;

impl<S: Greeting + 'static> Exports<S> for GreetingAlone {
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

    /// Opens a guest that exports `S` as `Greeting`, without a first turn.
    pub(crate) fn service<S: Create<Way> + Greeting, Way: Default + 'static>() -> Self {
        const REQUIRES: &[Requirement] = &[Requirement::new(<GreetingClient as Client>::SERVICE)];
        Guest::open(Definition::service::<S, GreetingAlone, _>(
            REQUIRES,
            Way::default(),
        ))
    }

    /// Opens a service and runs it until it is ready for calls.
    pub(crate) fn serving<S: Create<Way> + Greeting, Way: Default + 'static>() -> Self {
        let mut guest = Guest::service::<S, Way>();
        guest.start();
        assert_eq!(guest.turn([launched(&[70])]), ["reply 0: OK"]);
        guest
    }

    /// Opens a guest that requires `Greeting` and runs `main`, without a first turn.
    pub(crate) fn program<F>(main: fn(Context) -> F) -> Self
    where
        F: Future<Output = Result<Exit, Error>> + 'static,
    {
        Guest::open(Definition::program(
            main,
            const { &[Requirement::new(<GreetingClient as Client>::SERVICE)] },
        ))
    }

    /// Opens a program and runs its first turn. Also returns its frames except the manifest.
    pub(crate) fn started<F>(main: fn(Context) -> F) -> (Self, Vec<String>)
    where
        F: Future<Output = Result<Exit, Error>> + 'static,
    {
        let mut guest = Guest::program(main);
        let trace = guest.start();
        (guest, trace)
    }

    /// Runs the first turn. Returns its frames except the manifest.
    pub(crate) fn start(&mut self) -> Vec<String> {
        let start = start(self.message_bytes_max);
        let mut trace = self.turn([start]);
        assert!(
            trace.remove(0).starts_with("manifest"),
            "the first frame must be the manifest"
        );
        trace
    }

    /// Runs a turn that must succeed. Returns a line for each frame in the outbox.
    pub(crate) fn turn(&mut self, frames: impl IntoIterator<Item = Inbound>) -> Vec<String> {
        assert_eq!(self.turn_status(frames), TURN_OK, "{}", self.panic_text());
        self.outbox()
    }

    /// Runs a turn. Returns its status.
    pub(crate) fn turn_status(&mut self, frames: impl IntoIterator<Item = Inbound>) -> u32 {
        let prologue = Prologue {
            monotonic_ns: self.now_ns,
            wall_ns: self.now_ns + 1_000_000_000,
        };
        let mut inbox = prologue.to_bytes().to_vec();
        frames.into_iter().for_each(|frame| inbox.extend(frame));
        self.turn_raw(&inbox)
    }

    /// Runs a turn with these bytes as inbox. Returns its status.
    pub(crate) fn turn_raw(&mut self, inbox: &[u8]) -> u32 {
        if self.view().inbox_capacity < inbox.len() as u64 {
            // SAFETY: the guest is open until `self` is dropped.
            unsafe { turn::inbox(self.control, inbox.len()) };
        }
        let address =
            std::ptr::with_exposed_provenance_mut::<u8>(self.view().inbox_address as usize);
        // SAFETY: the inbox has that capacity, the guest is not running, and `control` is its
        // handle.
        unsafe {
            address.copy_from_nonoverlapping(inbox.as_ptr(), inbox.len());
            turn::turn(self.control, inbox.len(), self.max_polls)
        }
    }

    pub(crate) fn view(&self) -> ControlView {
        let bytes = memory(self.control as u64, CONTROL_BYTES as u64);
        ControlView::read(
            bytes
                .as_slice()
                .try_into()
                .expect("a control block must have its size"),
        )
    }

    pub(crate) fn panic_text(&self) -> String {
        let view = self.view();
        assert!(view.panic_bytes <= view.panic_capacity);
        String::from_utf8(memory(view.panic_address, view.panic_bytes))
            .expect("the panic text must be UTF-8")
    }

    /// Returns the time of the next turn that the guest requests.
    pub(crate) fn wake_at_ns(&self) -> Option<u64> {
        Some(self.view().wake_at_ns).filter(|at| *at != NEVER)
    }

    /// Returns the address of the cell by which the host ends a turn.
    pub(crate) fn yield_cell(&self) -> usize {
        self.control + YIELD_NOW_OFFSET
    }

    /// Returns the frames in the outbox.
    pub(crate) fn sent(&self) -> Vec<u8> {
        let view = self.view();
        memory(view.outbox_address, view.outbox_committed)
    }

    fn outbox(&mut self) -> Vec<String> {
        let bytes = self.sent();
        Frames::new(&bytes)
            .map(|frame| self.line(&frame.expect("frames of the guest must be valid")))
            .collect()
    }

    fn line(&mut self, frame: &Frame<'_>) -> String {
        let header = &frame.header;
        match frame.kind().expect("the kind must be known") {
            Kind::Manifest => {
                manifest_line(&Manifest::read(frame.payload).expect("the manifest must be valid"))
            }
            Kind::Launch => "launch".into(),
            Kind::Call => {
                self.calls.push(header.number);
                format!("call {}: {}", self.letter(header.number), call_text(frame))
            }
            Kind::Reply => format!("reply {}: {}", header.number, reply_text(frame)),
            Kind::Open => format!("open {}: {}", header.number, metadata_text(frame)),
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
            .expect("the call must have been made");
        char::from(b'a' + place as u8)
    }

    /// Returns the number of an outbound call.
    pub(crate) fn number(&self, letter: char) -> u64 {
        self.calls[letter as usize - 'a' as usize]
    }

    /// Returns a reply with this greeting.
    pub(crate) fn reply(&self, letter: char, greeting: &str) -> Inbound {
        let payload = FetchGreetingResponse {
            greeting: greeting.into(),
        }
        .encode_to_vec();
        self.reply_payload(letter, &payload)
    }

    /// Returns a reply with this header, whose parts `build` adds.
    pub(crate) fn reply_with(
        &self,
        letter: char,
        header: Header,
        build: impl FnOnce(FrameBuilder<'_>) -> FrameBuilder<'_>,
    ) -> Inbound {
        let number = self.number(letter);
        frame(Header { number, ..header }, build)
    }

    /// Returns a reply with this payload.
    pub(crate) fn reply_payload(&self, letter: char, payload: &[u8]) -> Inbound {
        let header = Header {
            number: self.number(letter),
            ..Header::new(Kind::Reply)
        };
        frame(header, |frame| frame.payload(payload))
    }

    /// Returns a reply with a number of the service's error enum.
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

    /// Returns a reply with a failure.
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
        // SAFETY: the guest is open and not used again.
        unsafe { turn::close(self.control) };
    }
}

fn memory(address: u64, bytes: u64) -> Vec<u8> {
    let start = std::ptr::with_exposed_provenance::<u8>(address as usize);
    // SAFETY: the addresses come from the control block, and the guest is not running.
    unsafe { std::slice::from_raw_parts(start, bytes as usize) }.to_vec()
}

fn manifest_line(manifest: &Manifest) -> String {
    let list = |services: Vec<String>| match &services[..] {
        [] => "nothing".into(),
        _ => services.join(", "),
    };
    let exports = manifest.exports.iter().map(service_text);
    let requires = manifest.requires.iter().map(|required| {
        let binding = after(" as ", &required.binding);
        format!("{}{binding}", service_text(&required.service))
    });
    format!(
        "manifest: exports {}; requires {}{}",
        list(exports.collect()),
        list(requires.collect()),
        after(" with ", &text(&manifest.descriptors))
    )
}

fn service_text(service: &manifest::Service) -> String {
    let methods: Vec<_> = service.methods.iter().map(method_text).collect();
    format!("{}({})#{}", service.name, methods.join(" "), service.schema)
}

fn method_text(
    manifest::Method {
        name,
        budget_ns,
        deadline_ns,
        flags: MethodFlags(flags),
    }: &manifest::Method,
) -> String {
    match (budget_ns, deadline_ns, flags) {
        (0, 0, 0) => name.clone(),
        (0, 0, _) => format!("{name}[flags {flags}]"),
        _ => format!("{name}[budget {budget_ns}, deadline {deadline_ns}]"),
    }
}

fn call_text(frame: &Frame<'_>) -> String {
    let header = &frame.header;
    let request = FetchGreetingRequest::decode(frame.payload).expect("the request must be valid");
    let deadline = match header.deadline_ns {
        NO_DEADLINE => String::new(),
        deadline => format!(", by {deadline}"),
    };
    let metadata = after(", ", &metadata_text(frame));
    let for_call = match header.id {
        (0, 0) => String::new(),
        (high, number) => {
            assert_eq!(high, 0, "an outgoing call has no id");
            format!(" for {number}")
        }
    };
    format!(
        "{}.{} tongue {}{for_call}{deadline}{metadata}",
        header.service, header.method, request.tongue
    )
}

fn metadata_text(frame: &Frame<'_>) -> String {
    let pairs = frame
        .metadata_pairs()
        .map(|pair| pair.expect("metadata must be valid"));
    let entries: Vec<_> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
    entries.join(", ")
}

fn reply_text(frame: &Frame<'_>) -> String {
    let status = frame.header.status;
    let trailers = after("; ", &metadata_text(frame));
    let Detail {
        cause,
        message,
        details,
        ..
    } = Detail::read(frame.detail);
    let mut text = after(": ", &message);
    for detail in details {
        text += &format!(" + {} {:?}", detail.type_name, detail.value);
    }
    if frame.header.flags & flags::SERVICE_ERROR != 0 {
        return format!("error {}{text}{trailers}", status as i32);
    }
    let code = Code::from_number(status).expect("the code must be known");
    if code != Code::Ok {
        return format!("{code} ({cause}){text}{trailers}");
    }
    let response =
        FetchGreetingResponse::decode(frame.payload).expect("the response must be valid");
    format!("OK{}{trailers}", after(" ", &response.greeting))
}

fn log_line(frame: &Frame<'_>) -> String {
    let level = Level::from_number(frame.header.status).expect("the level must be known");
    let call = match frame.header.number {
        NO_CALL => String::new(),
        number => format!(" for {number}"),
    };
    format!("{level:?}{call}: {}", text(frame.payload))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text must be UTF-8")
}

fn after(separator: &str, text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("{separator}{text}")
    }
}

/// Returns a frame whose parts `build` adds.
pub(crate) fn frame(
    header: Header,
    build: impl FnOnce(FrameBuilder<'_>) -> FrameBuilder<'_>,
) -> Inbound {
    let mut bytes = Vec::new();
    build(FrameBuilder::new(&mut bytes, header))
        .finish()
        .expect("a frame of a test must be short");
    bytes
}

/// Returns a start frame with arguments and environment variables.
pub(crate) fn start(message_bytes_max: u32) -> Inbound {
    start_frame(message_bytes_max, false)
}

/// Returns a start frame that requests descriptors.
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
        // A key of a later version.
        settings: vec![(9, b"skipped")],
        args: vec!["--tongue", "french"],
        env: vec![("GREETING", "loud"), ("GREETING", "quiet")],
    };
    let mut bytes = Vec::new();
    start
        .write(&mut bytes)
        .expect("a frame of a test must be short");
    bytes
}

/// Returns a launched frame: every required service is ready.
pub(crate) fn launched(handles: &[u32]) -> Inbound {
    let payload: Vec<u8> = handles
        .iter()
        .flat_map(|handle| handle.to_le_bytes())
        .collect();
    frame(Header::new(Kind::Launched), |frame| frame.payload(&payload))
}

/// Returns a call of `Greeting.FetchGreeting`.
pub(crate) fn call(number: u64, tongue: i32) -> Inbound {
    call_by(number, tongue, NO_DEADLINE)
}

/// Returns a call with a deadline.
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

/// Returns a call with this header and payload, an id, and metadata.
pub(crate) fn call_frame(header: Header, payload: &[u8]) -> Inbound {
    let id = CallId::from_random(header.number.into()).to_wire();
    frame(Header { id, ..header }, |frame| {
        frame
            .metadata("user", "ann")
            .metadata("user", "bob")
            .payload(payload)
    })
}

/// Returns the cancellation of a call.
pub(crate) fn cancel(number: u64) -> Inbound {
    frame(
        Header {
            number,
            ..Header::new(Kind::Cancel)
        },
        |frame| frame,
    )
}

/// Returns a stop frame.
pub(crate) fn stop() -> Inbound {
    frame(Header::new(Kind::Stop), |frame| frame)
}
