//! Announced lengths allocate no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use parigot_abi::{FrameBuilder, Frames, Header, Kind, Manifest, Start};

/// The system's allocator, with a count of the bytes that each thread has requested.
struct Counting;

thread_local! {
    static ASKED_BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: both functions forward to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED_BYTES.set(ASKED_BYTES.get() + layout.size());
        // SAFETY: the caller guarantees what `System` requires.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` above, hence from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Returns the number of bytes that `run` requests.
fn bytes_asked_by(run: impl FnOnce()) -> usize {
    let before = ASKED_BYTES.get();
    run();
    ASKED_BYTES.get() - before
}

const FOUR_BILLION: [u8; 4] = [0xff; 4];

#[test]
fn announced_lengths_cost_nothing() {
    let service = [&[1, 0, 0, 0, b'A'][..], &[0; 8]].concat();
    let claims = [
        ("exports", FOUR_BILLION.to_vec()),
        ("requirements", [[0; 4], FOUR_BILLION].concat()),
        ("a name", [[1, 0, 0, 0], FOUR_BILLION].concat()),
        (
            "methods",
            [&[1, 0, 0, 0], &service[..], &FOUR_BILLION].concat(),
        ),
        ("descriptors", [&[0; 8][..], &FOUR_BILLION].concat()),
    ];
    for (claim, payload) in claims {
        let bytes = bytes_asked_by(|| assert!(Manifest::read(&payload).is_err()));
        assert!(
            bytes < 64,
            "4 billion bytes of {claim} allocated {bytes} bytes"
        );
    }

    let mut frame = Vec::new();
    FrameBuilder::new(&mut frame, Header::new(Kind::Start))
        .payload(&[0; 44])
        .payload(&FOUR_BILLION)
        .finish()
        .unwrap();
    let frame = Frames::new(&frame).next().unwrap().unwrap();
    let bytes = bytes_asked_by(|| assert!(Start::read(&frame).is_err()));
    assert_eq!(
        bytes, 0,
        "an argument of 4 billion bytes must allocate nothing"
    );

    // Memory is proportional to the input: a service takes at most 16 times its 16 bytes.
    let payload = [&1000_u32.to_le_bytes()[..], &[0; 16 * 1000], &[0; 8]].concat();
    let bytes =
        bytes_asked_by(|| assert_eq!(Manifest::read(&payload).unwrap().exports.len(), 1000));
    assert!(
        bytes < 16 * payload.len(),
        "{} bytes of manifest allocated {bytes} bytes",
        payload.len()
    );
}
