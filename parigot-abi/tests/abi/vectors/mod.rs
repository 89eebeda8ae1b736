//! The vectors of `tests/abi/vectors.txt`: fields encode to bytes, bytes decode to fields, and
//! errors have the right offset.

mod case;
mod ids;

use parigot_abi::control::{
    CONTROL_BYTES, Control, ControlView, TIMERS_MOVED_OFFSET, YIELD_NOW_OFFSET,
};
use parigot_abi::frame::{Frames, Level, NO_DEADLINE};
use parigot_abi::manifest::{Manifest, Method, MethodFlags, Requirement, Service};
use parigot_abi::status::Detail;
use parigot_abi::{
    Cause, Code, Credit, ErrorDetail, Frame, FrameBuilder, Header, Kind, Malformed, Prologue,
    Start, StreamContent, StreamFrame, VERSION, Version,
};

use self::case::{Case, cases, each, hex, number};

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
        "detail",
        "start",
        "credit",
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
    assert_eq!(VERSION, Version { major: 2, minor: 0 });
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
        let metadata = case.pairs("metadata");
        let payload = case.hex("payload");
        let bytes = case.hex("bytes");
        let cause: Option<u32> = case.text("cause").map(number);
        let values = detail_values(case);
        let detail = |cause| detail(case, cause, &values);

        // The frame follows other bytes, so that offsets in the buffer and in the frame differ.
        let mut out = b"8 bytes.".to_vec();
        let mut builder = FrameBuilder::new(&mut out, header);
        for (key, value) in &metadata {
            builder = builder.metadata(key, value);
        }
        builder = match cause.map(|number| Cause::from_number(number).ok_or(number)) {
            None => builder,
            Some(Ok(cause)) => builder.detail(&detail(cause)),
            // `Cause` has no value for the number, which is the first field.
            Some(Err(number)) => {
                let mut bytes = Vec::new();
                detail(Cause::Unspecified).write(&mut bytes);
                bytes[..4].copy_from_slice(&number.to_le_bytes());
                builder.detail_bytes(&bytes)
            }
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

/// Returns the messages of the case's details.
fn detail_values(case: &Case) -> Vec<Vec<u8>> {
    case.all("detail")
        .map(|text| text.split_once(' ').map_or(vec![], |(_, value)| hex(value)))
        .collect()
}

/// Returns the detail of a case, whose messages are `values`.
fn detail<'a>(case: &'a Case, cause: Cause, values: &'a [Vec<u8>]) -> Detail<'a> {
    let names = case
        .all("detail")
        .map(|text| text.split(' ').next().unwrap());
    Detail {
        instance: case.id("callee"),
        details: names
            .zip(values)
            .map(|(name, value)| ErrorDetail {
                type_name: name.into(),
                value,
            })
            .collect(),
        ..Detail::new(cause, case.text("message").unwrap_or_default())
    }
}

#[test]
fn details() {
    each("detail", |case| {
        let cause = Cause::from_number(case.number("cause")).unwrap();
        let values = detail_values(case);
        let bytes = case.hex("bytes");
        assert_eq!(Detail::read(&bytes), detail(case, cause, &values));
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
        let settings: Vec<(u16, Vec<u8>)> = case
            .all("setting")
            .map(|text| text.split_once(' ').unwrap_or((text, "")))
            .map(|(key, value)| (number(key), hex(value)))
            .collect();
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
            settings: settings
                .iter()
                .map(|(key, value)| (*key, &value[..]))
                .collect(),
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
fn credits() {
    each("credit", |case| {
        let credit = Credit {
            items: case.number("items"),
            bytes: case.number("payload_bytes"),
        };
        assert_eq!(credit.to_bytes()[..], case.hex("bytes"));
        assert_eq!(Credit::read(&case.hex("bytes")), Ok(credit));
        let sent = Credit {
            items: case.number("sent_items"),
            bytes: case.number("sent_bytes"),
        };
        assert_eq!(credit.permits(sent), case.number::<u32>("permits") == 1);
    });
}

#[test]
fn frames_of_streams() {
    each("frame", |case| {
        let bytes = case.hex("bytes");
        let frame = only_frame(&bytes);
        let read = StreamFrame::read(&frame);
        let Some(content) = case.text("stream") else {
            assert!(read.is_err());
            return;
        };
        let read = read.unwrap();
        assert_eq!(read.number, frame.header.number);
        assert_eq!(read.is_to_callee, frame.header.flags != 0);
        match read.content {
            StreamContent::Item(payload) => assert_eq!(payload, frame.payload),
            StreamContent::Credit(credit) => {
                assert_eq!(credit.to_bytes()[..], *frame.payload);
            }
            StreamContent::End => assert!(frame.payload.is_empty()),
        }
        let name = format!("{:?}", read.content);
        assert!(name.starts_with(content), "{name}");
    });
}

#[test]
fn manifests() {
    each("manifest", |case| {
        let mut manifest = Manifest::default();
        for (field, value) in &case.fields {
            let words: Vec<&str> = value.split(' ').collect();
            match field.as_str() {
                "exports" => manifest.exports.push(service(&words)),
                "requires" => manifest.requires.push(Requirement {
                    service: service(&words),
                    binding: String::new(),
                }),
                "method" => last_service(&mut manifest).methods.push(Method {
                    name: words[0].into(),
                    budget_ns: number(words[1]),
                    deadline_ns: number(words[2]),
                    flags: MethodFlags(words.get(3).map_or(0, |flags| number(flags))),
                }),
                "binding" => manifest.requires.last_mut().unwrap().binding = value.clone(),
                "descriptors" => manifest.descriptors = hex(value),
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

/// Returns the service with this name and schema.
fn service(words: &[&str]) -> Service {
    Service {
        name: words[0].into(),
        schema: u64::from_str_radix(words[1], 16).unwrap(),
        methods: vec![],
    }
}

/// Returns the service that was added last.
fn last_service(manifest: &mut Manifest) -> &mut Service {
    match manifest.requires.last_mut() {
        Some(requirement) => &mut requirement.service,
        None => manifest.exports.last_mut().unwrap(),
    }
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
            begun: [case.number("begun_low"), case.number("begun_high")],
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
        for call in view.begun.into_iter().filter(|call| *call != 0) {
            control.set_begun(call);
        }
        assert!(!control.yield_now());
        // SAFETY: the block has the size of the array, consists of numbers without padding, and has
        // no other borrow.
        let memory = unsafe { &mut *(&raw mut control).cast::<[u8; CONTROL_BYTES]>() };
        for written_by_host in [YIELD_NOW_OFFSET, TIMERS_MOVED_OFFSET] {
            memory[written_by_host..][..4].copy_from_slice(&bytes[written_by_host..][..4]);
        }
        assert_eq!(*memory, bytes);
        assert_eq!(control.yield_now(), case.number::<u32>("yield_now") == 1);
        assert_eq!(control.panic_bytes(), view.panic_bytes);
    });
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
                assert_eq!(frames.next(), None, "an iterator must end after an error");
                error
            }
            "metadata" => {
                let mut pairs = first().metadata_pairs();
                let error = pairs.by_ref().find_map(Result::err).unwrap();
                assert_eq!(pairs.next(), None, "an iterator must end after an error");
                error
            }
            "start" => Start::read(&first()).unwrap_err(),
            "stream" => StreamFrame::read(&first()).unwrap_err(),
            "credit" => Credit::read(&bytes).unwrap_err(),
            "manifest" => Manifest::read(&bytes).unwrap_err(),
            reader => panic!("unknown reader: {reader}"),
        };
        assert_eq!(error.offset, case.number::<usize>("offset"), "{error}");
    });
}
