//! The vectors of `tests/abi/vectors.txt`: fields encode to bytes, bytes decode to fields, mistakes are found where they are.

use core::fmt::Debug;

use parigot_abi::control::{
    CONTROL_BYTES, Control, ControlView, TIMERS_MOVED_OFFSET, YIELD_NOW_OFFSET,
};
use parigot_abi::frame::{Frames, Level, NO_DEADLINE};
use parigot_abi::id::{
    Call, Host, Id, IdError, IdType, Instance, Method as MethodType, Service as ServiceType,
};
use parigot_abi::manifest::{Manifest, Method, Service};
use parigot_abi::status::Detail;
use parigot_abi::{
    Cause, Code, Frame, FrameBuilder, Header, Kind, Malformed, Prologue, Start, VERSION, Version,
};

/// One `[what] title` of the file and its fields, in order.
struct Case {
    what: String,
    title: String,
    fields: Vec<(String, String)>,
}

impl Case {
    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    fn number<N: TryFrom<u64, Error: Debug>>(&self, name: &str) -> N {
        number(self.text(name).unwrap_or("0"))
    }

    fn hex(&self, name: &str) -> Vec<u8> {
        hex(&self.all(name).collect::<String>())
    }

    /// The wire form of an id; (0, 0) where it is not set.
    fn id(&self, name: &str) -> (u64, u64) {
        let Some((high, low)) = self.text(name).map(|text| text.split_once(' ').unwrap()) else {
            return (0, 0);
        };
        (
            u64::from_str_radix(high, 16).unwrap(),
            u64::from_str_radix(low, 16).unwrap(),
        )
    }

    fn pairs(&self, name: &str) -> Vec<(&str, &str)> {
        self.all(name)
            .map(|pair| pair.split_once('=').unwrap())
            .collect()
    }
}

fn number<N: TryFrom<u64, Error: Debug>>(text: &str) -> N {
    text.parse::<u64>().unwrap().try_into().unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| *c != ' ')
        .map(|c| c.to_digit(16).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}

fn cases() -> Vec<Case> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/abi/vectors.txt");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut cases: Vec<Case> = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some((what, title)) = line
            .strip_prefix('[')
            .and_then(|line| line.split_once("] "))
        {
            cases.push(Case {
                what: what.into(),
                title: title.into(),
                fields: Vec::new(),
            });
        } else {
            let (name, value) = line.split_once('=').unwrap();
            cases
                .last_mut()
                .unwrap()
                .fields
                .push((name.trim().into(), value.trim().into()));
        }
    }
    cases
}

/// Runs `check` on each case of that kind; there must be some.
fn each(what: &str, check: impl Fn(&Case)) {
    let cases = cases();
    let mut found = cases.iter().filter(|case| case.what == what).peekable();
    assert!(found.peek().is_some(), "no [{what}] among the vectors");
    for case in found {
        println!("[{what}] {}", case.title);
        check(case);
    }
}

fn only_frame(bytes: &[u8]) -> Frame<'_> {
    let mut frames = Frames::new(bytes);
    let frame = frames.next().unwrap().unwrap();
    assert_eq!(frames.next(), None);
    assert_eq!(frames.offset(), bytes.len());
    frame
}

#[test]
fn every_case_has_a_test() {
    let known = [
        "names",
        "version",
        "prologue",
        "frame",
        "start",
        "manifest",
        "control",
        "id",
        "constant id",
        "bad id",
        "malformed",
    ];
    for case in cases() {
        assert!(
            known.contains(&case.what.as_str()),
            "[{}] {}",
            case.what,
            case.title
        );
    }
}

#[test]
fn names() {
    each("names", |case| {
        let check = |field: &str, name: &dyn Fn(u32) -> Option<String>| {
            let given = case.all(field).map(|line| line.split_once(' ').unwrap());
            let given: Vec<(u32, String)> =
                given.map(|(n, name)| (number(n), name.into())).collect();
            let known: Vec<(u32, String)> =
                (0..=0xffff).filter_map(|n| Some((n, name(n)?))).collect();
            assert_eq!(known, given, "{field}");
        };
        check("kind", &|n| {
            Some(format!("{:?}", Kind::from_number(n as u16)?))
        });
        check("code", &|n| {
            Code::from_number(n).map(|code| code.to_string())
        });
        check("cause", &|n| {
            Cause::from_number(n).map(|cause| cause.to_string())
        });
        check("fate", &|n| {
            Cause::from_number(n).map(|cause| cause.fate().to_string())
        });
        check("level", &|n| Some(format!("{:?}", Level::from_number(n)?)));
    });
}

#[test]
fn versions() {
    assert_eq!(VERSION, Version { major: 1, minor: 0 });
    each("version", |case| {
        let version = Version {
            major: case.number("major"),
            minor: case.number("minor"),
        };
        assert_eq!(version.packed(), case.number::<u32>("packed"));
        assert_eq!(Version::from_packed(case.number("packed")), version);
    });
}

#[test]
fn prologues() {
    each("prologue", |case| {
        let prologue = Prologue {
            monotonic_ns: case.number("monotonic_ns"),
            wall_ns: case.number("wall_ns"),
        };
        let mut inbox = case.hex("bytes");
        assert_eq!(prologue.to_bytes(), *inbox);
        inbox.extend(b"frames");
        assert_eq!(Prologue::split(&inbox), Ok((prologue, &b"frames"[..])));
    });
}

#[test]
fn frames() {
    each("frame", |case| {
        let header = Header {
            kind: case.number("kind"),
            flags: case.number("flags"),
            number: case.number("number"),
            service: case.number("service"),
            method: case.number("method"),
            status: case.number("status"),
            deadline_ns: case.text("deadline_ns").map_or(NO_DEADLINE, number),
            id: case.id("id"),
        };
        let (metadata, payload, bytes) = (
            case.pairs("metadata"),
            case.hex("payload"),
            case.hex("bytes"),
        );
        let message = case.text("message").unwrap_or_default();
        let cause: Option<u32> = case.text("cause").map(number);
        let detail = |cause| Detail {
            instance: case.id("callee"),
            ..Detail::new(cause, message)
        };

        // After something else, so that offsets inside of the buffer are not those inside of the frame.
        let mut out = b"8 bytes.".to_vec();
        let mut builder = FrameBuilder::new(&mut out, header);
        for (key, value) in &metadata {
            builder = builder.metadata(key, value);
        }
        builder = match cause.map(|number| Cause::from_number(number).ok_or(number)) {
            None => builder,
            Some(Ok(cause)) => builder.detail(&detail(cause)),
            Some(Err(number)) => builder
                .detail_bytes(&[&number.to_le_bytes()[..], &[0; 16], message.as_bytes()].concat()),
        };
        builder.payload(&payload).finish().unwrap();
        assert_eq!(out[8..], bytes);

        let frame = only_frame(&bytes);
        assert_eq!(frame.header, header);
        assert_eq!(frame.kind(), Kind::from_number(header.kind));
        assert_eq!(
            frame
                .metadata_pairs()
                .collect::<Result<Vec<_>, _>>()
                .unwrap(),
            metadata
        );
        assert_eq!(frame.payload, payload);
        if let Some(number) = cause {
            let cause = Cause::from_number(number).unwrap_or(Cause::Unspecified);
            assert_eq!(Detail::read(frame.detail), detail(cause));
        } else {
            assert_eq!(frame.detail, []);
        }
    });
}

#[test]
fn frames_follow_each_other() {
    let all: Vec<Vec<u8>> = cases()
        .iter()
        .filter(|case| case.what == "frame")
        .map(|case| case.hex("bytes"))
        .collect();
    let together = all.concat();
    let mut frames = Frames::new(&together);
    let mut offset = 0;
    for bytes in &all {
        assert_eq!(frames.offset(), offset);
        assert_eq!(frames.next().unwrap().unwrap(), only_frame(bytes));
        offset += bytes.len();
    }
    assert_eq!(frames.next(), None);
}

#[test]
fn starts() {
    each("start", |case| {
        let (major, minor) = case.text("host").unwrap().split_once('.').unwrap();
        let start = Start {
            host: Version {
                major: number(major),
                minor: number(minor),
            },
            message_bytes_max: case.number("message_bytes_max"),
            seed: case.hex("seed").try_into().unwrap(),
            instance: case.id("instance"),
            descriptors: case.number::<u32>("descriptors") == 1,
            args: case.all("arg").collect(),
            env: case.pairs("env"),
        };
        let bytes = case.hex("bytes");
        let mut out = Vec::new();
        start.write(&mut out).unwrap();
        assert_eq!(out, bytes);
        let frame = only_frame(&bytes);
        assert_eq!(frame.kind(), Some(Kind::Start));
        assert_eq!(Start::read(&frame), Ok(start));
    });
}

#[test]
fn manifests() {
    each("manifest", |case| {
        let mut manifest = Manifest::default();
        let mut list = &mut manifest.exports;
        for (field, value) in &case.fields {
            let words: Vec<&str> = value.split(' ').collect();
            match field.as_str() {
                "exports" | "requires" => {
                    if field == "requires" {
                        list = &mut manifest.requires;
                    }
                    let schema = u64::from_str_radix(words[1], 16).unwrap();
                    list.push(Service {
                        name: words[0].into(),
                        schema,
                        methods: vec![],
                        descriptors: vec![],
                    });
                }
                "method" => list.last_mut().unwrap().methods.push(Method {
                    name: words[0].into(),
                    budget_ns: number(words[1]),
                    deadline_ns: number(words[2]),
                }),
                "descriptors" => list.last_mut().unwrap().descriptors = hex(value),
                _ => assert_eq!(field, "bytes"),
            }
        }
        let bytes = case.hex("bytes");
        let mut out = Vec::new();
        manifest.write(&mut out);
        assert_eq!(out, bytes);
        assert_eq!(Manifest::read(&bytes), Ok(manifest));
    });
}

#[test]
fn control_blocks() {
    each("control", |case| {
        let view = ControlView {
            inbox_address: case.number("inbox_address"),
            inbox_capacity: case.number("inbox_capacity"),
            outbox_address: case.number("outbox_address"),
            outbox_committed: case.number("outbox_committed"),
            progress_call: case.number("progress_call"),
            progress_service: case.number("progress_service"),
            progress_method: case.number("progress_method"),
            more: case.number::<u32>("more") == 1,
            wake_at_ns: case.number("wake_at_ns"),
            polls: case.number("polls"),
            panic_address: case.number("panic_address"),
            panic_capacity: case.number("panic_capacity"),
            panic_bytes: case.number("panic_bytes"),
        };
        let bytes: [u8; CONTROL_BYTES] = case.hex("bytes").try_into().unwrap();
        assert_eq!(ControlView::read(&bytes), view);

        let mut control = Control::new();
        control.set_inbox(view.inbox_address, view.inbox_capacity);
        control.set_outbox(view.outbox_address, view.outbox_committed);
        control.set_progress(
            view.progress_call,
            view.progress_service,
            view.progress_method,
        );
        control.set_turn(view.more, view.wake_at_ns, view.polls);
        control.set_panic_buffer(view.panic_address, view.panic_capacity);
        control.set_panic(view.panic_bytes);
        assert!(!control.yield_now());
        // SAFETY: the block is as long as the array, plain numbers without padding, and borrowed by nobody else.
        let memory = unsafe { &mut *(&raw mut control).cast::<[u8; CONTROL_BYTES]>() };
        for written_by_host in [YIELD_NOW_OFFSET, TIMERS_MOVED_OFFSET] {
            memory[written_by_host..][..4].copy_from_slice(&bytes[written_by_host..][..4]);
        }
        assert_eq!(*memory, bytes);
        assert_eq!(control.yield_now(), case.number::<u32>("yield_now") == 1);
        assert_eq!(control.panic_bytes(), view.panic_bytes);
    });
}

#[derive(Debug)]
enum Q {}
impl IdType for Q {
    const NAME: &'static str = "QId";
    const PREFIX: &'static str = "q";
}

#[derive(Debug)]
enum Z90 {}
impl IdType for Z90 {
    const NAME: &'static str = "Z90Id";
    const PREFIX: &'static str = "z90";
}

/// Calls a generic function with the type of id that the case's prefix belongs to.
macro_rules! with_id_type {
    ($check:ident, $case:expr) => {
        match $case.text("prefix").unwrap() {
            "hst" => $check::<Host>($case),
            "svc" => $check::<ServiceType>($case),
            "mth" => $check::<MethodType>($case),
            "cal" => $check::<Call>($case),
            "ins" => $check::<Instance>($case),
            "q" => $check::<Q>($case),
            "z90" => $check::<Z90>($case),
            prefix => panic!("no id type has the prefix {prefix}"),
        }
    };
}

#[test]
fn ids() {
    fn check<T: IdType>(case: &Case) {
        let random = u128::from_str_radix(case.text("random").unwrap(), 16).unwrap();
        check_id(case, Id::<T>::from_random(random));
    }
    each("id", |case| with_id_type!(check, case));
}

#[test]
fn constant_ids() {
    fn check<T: IdType>(case: &Case) {
        check_id(
            case,
            if case.text("zero").is_some() {
                Id::<T>::ZERO
            } else {
                Id::EMPTY
            },
        );
    }
    each("constant id", |case| with_id_type!(check, case));
}

fn check_id<T: IdType>(case: &Case, id: Id<T>) {
    assert_eq!(id.to_string(), case.text("text").unwrap());
    assert_eq!(id.short().to_string(), case.text("short").unwrap());
    assert_eq!(id.to_wire(), case.id("wire"));
    assert_eq!(id.is_zero(), case.text("zero").is_some());
    assert_eq!(id.is_empty(), case.text("empty").is_some());

    let (high, low) = case.id("wire");
    for read in [
        case.text("text").unwrap().parse::<Id<T>>().unwrap(),
        Id::from_wire(high, low).unwrap(),
    ] {
        assert_eq!(read.key(), id.key());
        assert_eq!(read == id, !id.is_zero());
    }
}

#[test]
fn bad_ids() {
    fn check<T: IdType>(case: &Case) {
        let (high, low) = case.id("wire");
        let read = case
            .text("text")
            .map_or_else(|| Id::<T>::from_wire(high, low), str::parse);
        let error = match read.unwrap_err() {
            IdError::WrongType { expected, prefix } => {
                assert_eq!((expected, prefix), (T::NAME, T::PREFIX));
                "type".into()
            }
            IdError::WrongLength { found } => format!("length {found}"),
            IdError::WrongDigit { found, at } => {
                assert_eq!(case.text("text").unwrap().chars().nth(at), Some(found));
                format!("digit {at}")
            }
            IdError::WrongCheck => "check".into(),
            other => panic!("an error that the vectors do not know: {other:?}"),
        };
        assert_eq!(error, case.text("error").unwrap());
    }
    each("bad id", |case| with_id_type!(check, case));
}

#[test]
fn malformed_bytes() {
    each("malformed", |case| {
        let bytes = case.hex("bytes");
        let first = || Frames::new(&bytes).next().unwrap().unwrap();
        let error: Malformed = match case.text("reader").unwrap() {
            "prologue" => Prologue::split(&bytes).unwrap_err(),
            "frames" => {
                let mut frames = Frames::new(&bytes);
                let error = frames.by_ref().find_map(Result::err).unwrap();
                assert_eq!(frames.next(), None, "after an error there is nothing more");
                error
            }
            "metadata" => {
                let mut pairs = first().metadata_pairs();
                let error = pairs.by_ref().find_map(Result::err).unwrap();
                assert_eq!(pairs.next(), None, "after an error there is nothing more");
                error
            }
            "start" => Start::read(&first()).unwrap_err(),
            "manifest" => Manifest::read(&bytes).unwrap_err(),
            reader => panic!("no reader is called {reader}"),
        };
        assert_eq!(error.offset, case.number::<usize>("offset"), "{error}");
    });
}
