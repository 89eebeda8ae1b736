//! Every reader of the crate, and what must hold for what each reads. The fuzz targets in `fuzz/`
//! use this file as well.

use parigot_abi::status::{DETAIL_BYTES_MAX, Detail};
use parigot_abi::{
    Credit, Frame, FrameBuilder, Frames, Malformed, Manifest, Prologue, Start, StreamFrame,
};

/// Passes the bytes to every reader.
pub(crate) fn read_all(bytes: &[u8]) {
    let mut frames = Frames::new(bytes);
    let mut end = 0;
    while let Some(frame) = frames.next() {
        match frame {
            Ok(frame) => {
                assert_eq!(
                    rewritten(&frame),
                    bytes[end..frames.offset()],
                    "a frame must have one encoding"
                );
                end = frames.offset();
                read_parts(&frame);
            }
            Err(error) => {
                assert!(error.offset >= end);
                check_error(&error, bytes);
            }
        }
    }
    match Prologue::split(bytes) {
        Ok((prologue, rest)) => assert_eq!([&prologue.to_bytes()[..], rest].concat(), bytes),
        Err(error) => check_error(&error, bytes),
    }
    match Manifest::read(bytes) {
        Ok(manifest) => {
            let mut out = Vec::new();
            manifest.write(&mut out);
            assert_eq!(out, bytes, "a manifest must have one encoding");
        }
        Err(error) => check_error(&error, bytes),
    }
    let detail = Detail::read(bytes);
    let mut out = Vec::new();
    detail.write(&mut out);
    assert_eq!(out.len(), detail.bytes());
    assert!(out.len() <= DETAIL_BYTES_MAX);
    // A long detail is shortened once, not twice.
    let rewritten = Detail::read(&out);
    assert!(rewritten == detail || out.len() + 1024 > DETAIL_BYTES_MAX);
    let mut again = Vec::new();
    rewritten.write(&mut again);
    assert_eq!(again, out, "a written detail must have one encoding");
}

/// Reads the parts of a frame.
fn read_parts(frame: &Frame<'_>) {
    let frame_bytes = rewritten(frame);
    for error in frame.metadata_pairs().filter_map(Result::err) {
        check_error(&error, &frame_bytes);
    }
    Detail::read(frame.detail);
    if let Err(error) = Manifest::read(frame.payload) {
        check_error(&error, frame.payload);
    }
    match StreamFrame::read(frame) {
        Ok(read) => assert_eq!(read.number, frame.header.number),
        Err(error) => check_error(&error, &frame_bytes),
    }
    match Credit::read(frame.payload) {
        Ok(credit) => assert_eq!(credit.to_bytes()[..], *frame.payload),
        Err(error) => check_error(&error, frame.payload),
    }
    match Start::read(frame) {
        Ok(start) => {
            let mut out = Vec::new();
            start.write(&mut out).unwrap();
            assert_eq!(
                Start::read(&Frames::new(&out).next().unwrap().unwrap()),
                Ok(start)
            );
        }
        Err(error) => check_error(&error, &frame_bytes),
    }
}

fn rewritten(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    FrameBuilder::new(&mut out, frame.header)
        .metadata_bytes(frame.metadata)
        .detail_bytes(frame.detail)
        .payload(frame.payload)
        .finish()
        .unwrap();
    out
}

fn check_error(error: &Malformed, bytes: &[u8]) {
    assert!(
        error.offset <= bytes.len(),
        "{error}, but the input has {} bytes",
        bytes.len()
    );
    assert!(!error.expected.is_empty());
}
