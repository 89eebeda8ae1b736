//! A guest against the bare ABI that does what no SDK would do. Its first argument is a deed, and
//! determines when the guest does it:
//!
//! | argument | when |
//! |---|---|
//! | `DEED` | at each call of echo.v1.Echo, and at each job of load.v1.Work that has a deed |
//! | `first/DEED` | in the first turn, after its manifest |
//! | `caller/DEED` | when it is launched; it exports nothing and requires echo.v1.Echo |
//!
//! A second argument is a deed that the guest does once it is ready.

mod guest;
mod job;
mod violation;

use std::cell::RefCell;

use parigot_abi::{TURN_OK, VERSION};

use crate::guest::{CONTROL, Guest};

thread_local! {
    static GUEST: RefCell<Guest> = RefCell::default();
}

#[unsafe(no_mangle)]
extern "C" fn parigot_abi() -> u32 {
    VERSION.packed()
}

#[unsafe(no_mangle)]
extern "C" fn parigot_open() -> usize {
    (&raw const CONTROL).expose_provenance()
}

#[unsafe(no_mangle)]
extern "C" fn parigot_inbox(_control: usize, bytes: usize) {
    GUEST.with_borrow_mut(|guest| {
        guest.inbox = vec![0; bytes];
        CONTROL.set_inbox(
            guest.inbox.as_mut_ptr().expose_provenance() as u64,
            bytes as u64,
        );
    });
}

#[unsafe(no_mangle)]
extern "C" fn parigot_turn(_control: usize, inbox_bytes: usize, _max_polls: u32) -> u32 {
    GUEST.with_borrow_mut(|guest| guest.turn(inbox_bytes));
    TURN_OK
}
