//! The codec's work on both sides of a call, without an SDK: the least that two entries into wasm
//! cost.
//!
//! One instance of this module is the caller, another the callee. The host copies bytes between
//! their buffers.

use golden::echo::echo::v1::Payload;
use parigot_guest::prost::Message;

/// Buffers of one side of a call.
pub struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
    bytes: usize,
}

/// Creates a side of the call whose messages have a payload of `bytes`, and returns its handle.
#[unsafe(no_mangle)]
pub extern "C" fn floor_open(bytes: usize) -> *mut Buffers {
    let input = Vec::with_capacity(bytes + 64);
    let output = Vec::with_capacity(bytes + 64);
    Box::into_raw(Box::new(Buffers {
        input,
        output,
        bytes,
    }))
}

/// Returns the address of the input buffer.
///
/// # Safety
///
/// `side` must be a handle from `floor_open`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn floor_input(side: *mut Buffers) -> *mut u8 {
    // SAFETY: the caller's promise; nothing else refers to it during the call.
    unsafe { (*side).input.as_mut_ptr() }
}

/// Returns the address of the output buffer.
///
/// # Safety
///
/// `side` must be a handle from `floor_open`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn floor_output(side: *mut Buffers) -> *const u8 {
    // SAFETY: the caller's promise; nothing else refers to it during the call.
    unsafe { (*side).output.as_ptr() }
}

/// Runs the caller's part: decodes the response in the first `input_bytes` bytes of the input, if
/// any, and encodes the next request. Returns the size of the output.
///
/// # Safety
///
/// `side` must be a handle from `floor_open`, and the first `input_bytes` bytes of the input buffer
/// must be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn floor_call(side: *mut Buffers, input_bytes: usize) -> usize {
    // SAFETY: the caller's promise; nothing else refers to it during the call.
    let side = unsafe { &mut *side };
    if input_bytes != 0 {
        assert_eq!(side.decode(input_bytes).data.len(), side.bytes);
    }
    side.encode(&Payload {
        data: vec![7; side.bytes],
    })
}

/// Runs the callee's part: decodes the request in the input and encodes the response. Returns the
/// size of the output.
///
/// # Safety
///
/// As for `floor_call`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn floor_serve(side: *mut Buffers, input_bytes: usize) -> usize {
    // SAFETY: the caller's promise; nothing else refers to it during the call.
    let side = unsafe { &mut *side };
    let request = side.decode(input_bytes);
    side.encode(&request)
}

impl Buffers {
    fn decode(&mut self, input_bytes: usize) -> Payload {
        // SAFETY: the host wrote so many bytes into the buffer's capacity.
        unsafe { self.input.set_len(input_bytes) };
        Payload::decode(self.input.as_slice()).expect("the other side must send valid messages")
    }

    fn encode(&mut self, message: &Payload) -> usize {
        self.output.clear();
        message
            .encode(&mut self.output)
            .expect("writing to a vector never fails");
        self.output.len()
    }
}
