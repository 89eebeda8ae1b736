//! Metadata that only the host may set.

use parigot_abi::frame::{is_reserved_key, push_pair};
use parigot_abi::{Frame, FrameBuilder, Kind};

/// Returns a copy of a frame without its reserved metadata; `None` if the frame has none, or is not
/// part of a call.
///
/// Metadata that is malformed from some pair on is read up to that pair, as the receiver reads it.
#[cold]
pub(crate) fn without_reserved_keys(frame: &Frame<'_>) -> Option<Vec<u8>> {
    // The metadata of a log line are its fields.
    let is_of_call = matches!(frame.kind(), Some(Kind::Call | Kind::Open | Kind::Reply));
    let pairs = || frame.metadata_pairs().flatten();
    if !is_of_call || !pairs().any(|(key, _)| is_reserved_key(key)) {
        return None;
    }
    let mut metadata = Vec::new();
    for (key, value) in pairs().filter(|(key, _)| !is_reserved_key(key)) {
        push_pair(&mut metadata, key, value);
    }
    let mut copy = Vec::new();
    FrameBuilder::new(&mut copy, frame.header)
        .metadata_bytes(&metadata)
        .detail_bytes(frame.detail)
        .payload(frame.payload)
        .finish()
        .expect("a part of a frame must be shorter than 4 GiB");
    Some(copy)
}

#[cfg(test)]
mod tests {
    use parigot_abi::{Frames, Header};

    use super::*;

    /// Returns the frame in these bytes.
    fn only_frame(bytes: &[u8]) -> Frame<'_> {
        Frames::new(bytes)
            .next()
            .and_then(Result::ok)
            .expect("the bytes must be a frame")
    }

    fn frame(kind: Kind, pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut frame = FrameBuilder::new(&mut bytes, Header::new(kind));
        for (key, value) in pairs {
            frame = frame.metadata(key, value);
        }
        frame
            .payload(b"request")
            .finish()
            .expect("the frame must be short");
        bytes
    }

    #[test]
    fn reserved_keys_are_removed_from_frames_of_calls() {
        let pairs = [("a", "1"), ("Parigot-User", "admin"), ("b", "2")];
        for kind in [Kind::Call, Kind::Open, Kind::Reply] {
            let cleaned = without_reserved_keys(&only_frame(&frame(kind, &pairs)));
            let expected = frame(kind, &[("a", "1"), ("b", "2")]);
            assert_eq!(cleaned, Some(expected));
        }
    }

    #[test]
    fn other_frames_are_not_copied() {
        assert_eq!(
            without_reserved_keys(&only_frame(&frame(Kind::Call, &[("a", "1")]))),
            None
        );
        let log = frame(Kind::Log, &[("parigot-x", "1")]);
        assert_eq!(without_reserved_keys(&only_frame(&log)), None);
    }
}
