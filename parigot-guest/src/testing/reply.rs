//! Replies that the host of a test makes.

use core::cell::RefCell;

use parigot_abi::id::CallId;
use parigot_abi::{Cause, Code, Detail, FrameBuilder, Header, Kind};

use super::call::CallReply;

/// Ends a call of the test with a failure of the host.
pub(super) fn fail(reply: &RefCell<CallReply>, number: u64, code: Code, cause: Cause, text: &str) {
    let frame = &mut reply.borrow_mut().frame;
    FrameBuilder::new(frame, failure(number, code))
        .detail(&Detail::new(cause, text))
        .finish()
        .expect("a failure must be shorter than 4 GiB");
}

pub(super) fn failure(number: u64, code: Code) -> Header {
    Header {
        number,
        status: code.number(),
        id: call_id(number),
        ..Header::new(Kind::Reply)
    }
}

pub(super) fn call_id(number: u64) -> (u64, u64) {
    CallId::from_random(number.into()).to_wire()
}
