//! Guarantees of frames beyond their layout: readers copy nothing, and failed writers restore the
//! buffer.

use core::ops::Range;

use parigot_abi::frame::{Outline, TooLong, push_pair};
use parigot_abi::status::{DETAIL_BYTES_MAX, Detail};
use parigot_abi::{Cause, ErrorDetail, FrameBuilder, Frames, Header, Kind};

#[test]
fn reading_copies_nothing() {
    let mut bytes = Vec::new();
    for payload in ["first", "second"] {
        FrameBuilder::new(&mut bytes, Header::new(Kind::Call))
            .metadata("key", "value")
            .detail(&Detail::new(Cause::Overloaded, "full"))
            .payload(payload.as_bytes())
            .finish()
            .unwrap();
    }
    let inside = |part: &[u8]| {
        let all = bytes.as_ptr_range();
        let part = part.as_ptr_range();
        all.start <= part.start && part.end <= all.end
    };
    let mut last: Option<Range<*const u8>> = None;
    for frame in Frames::new(&bytes) {
        let frame = frame.unwrap();
        let (key, value) = frame.metadata_pairs().next().unwrap().unwrap();
        for part in [
            frame.metadata,
            key.as_bytes(),
            value.as_bytes(),
            frame.detail,
            frame.payload,
        ] {
            assert!(!part.is_empty() && inside(part));
        }
        let payload = frame.payload.as_ptr_range();
        assert!(last.is_none_or(|last| last.end <= payload.start));
        last = Some(payload);
    }
}

#[test]
fn empty_input_has_no_frames() {
    assert_eq!(Frames::new(&[]).next(), None);
}

#[test]
fn frames_are_aligned_to_8_bytes() {
    let mut bytes = Vec::new();
    for payload_bytes in 0..20 {
        FrameBuilder::new(&mut bytes, Header::new(Kind::Reply))
            .payload(&vec![1; payload_bytes])
            .finish()
            .unwrap();
        assert_eq!(bytes.len() % 8, 0);
    }
    let payloads = Frames::new(&bytes).map(|frame| frame.unwrap().payload.len());
    assert!(payloads.eq(0..20));
}

#[test]
fn outlines_and_builders_write_equal_frames() {
    let header = Header {
        number: 7,
        id: (1, 2),
        ..Header::new(Kind::Call)
    };
    let detail = Detail::new(Cause::Overloaded, "full");
    let mut metadata = Vec::new();
    let mut detail_bytes = Vec::new();
    push_pair(&mut metadata, "key", "value");
    detail.write(&mut detail_bytes);
    for payload in (0..20).map(|bytes| vec![1; bytes]) {
        for (metadata, detail) in [
            (&[][..], &[][..]),
            (&metadata, &[]),
            (&[], &detail_bytes),
            (&metadata, &detail_bytes),
        ] {
            let mut measured = Vec::new();
            let frame = FrameBuilder::new(&mut measured, header)
                .metadata_bytes(metadata)
                .detail_bytes(detail);
            frame.payload(&payload).finish().unwrap();
            let outline = Outline {
                header,
                metadata,
                detail,
                payload_bytes: payload.len(),
            };
            // The frame must overwrite all bytes of the buffer.
            let mut written = vec![0xff; outline.frame_bytes().unwrap()];
            outline.write(&mut written, |place| place.copy_from_slice(&payload));
            assert_eq!(written, measured);
        }
    }
    let endless = Outline {
        header,
        metadata: &[],
        detail: &[],
        payload_bytes: u32::MAX as usize - 64,
    };
    assert_eq!(
        endless.frame_bytes(),
        Err(TooLong {
            bytes: u32::MAX as usize
        })
    );
}

#[test]
fn an_unfinished_frame_can_be_truncated() {
    let mut bytes = Vec::new();
    FrameBuilder::new(&mut bytes, Header::new(Kind::Launch))
        .finish()
        .unwrap();
    let whole = bytes.clone();
    drop(FrameBuilder::new(&mut bytes, Header::new(Kind::Call)).payload(b"half a requ"));
    assert!(
        Frames::new(&bytes).any(|frame| frame.is_err()),
        "a partial frame must not be readable"
    );
    bytes.truncate(whole.len());
    assert_eq!(bytes, whole);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "the parts of a frame must be added in order")]
fn parts_out_of_order_panic() {
    let mut bytes = Vec::new();
    let frame = FrameBuilder::new(&mut bytes, Header::new(Kind::Call)).payload(b"request");
    let _ = frame.metadata("key", "value").finish();
}

#[test]
fn a_malformed_detail_stays_readable() {
    let empty = Detail::new(Cause::Unspecified, "");
    assert_eq!(Detail::read(&[]), empty);
    // The vectors contain more cases.
    assert_eq!(
        Detail::read(b"\x04\0\0\0no instance"),
        Detail::new(Cause::CalleeTrapped, "")
    );
}

#[test]
fn a_long_detail_is_shortened() {
    let entry = |value| ErrorDetail {
        type_name: "a.B".into(),
        value,
    };
    let half = [7; DETAIL_BYTES_MAX / 2];
    let text = "ä".repeat(DETAIL_BYTES_MAX);
    let long = Detail {
        details: vec![entry(&half), entry(&half), entry(&[])],
        ..Detail::new(Cause::Answered, &text)
    };
    let mut bytes = Vec::new();
    long.write(&mut bytes);
    assert_eq!(bytes.len(), long.bytes());
    // One byte is left: a character of the text has two.
    assert_eq!(bytes.len(), DETAIL_BYTES_MAX - 1);
    let read = Detail::read(&bytes);
    assert_eq!(read.details, [entry(&half[..])]);
    assert!(!read.message.is_empty() && text.starts_with(&*read.message));
    assert_eq!(read.bytes(), bytes.len());
}

#[test]
fn errors_name_offset_and_expectation() {
    let mut bytes = Vec::new();
    FrameBuilder::new(&mut bytes, Header::new(Kind::Launch))
        .finish()
        .unwrap();
    bytes.extend([0; 8]);
    let error = Frames::new(&bytes).nth(1).unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "at byte 64: expected a header of 64 bytes"
    );
}
