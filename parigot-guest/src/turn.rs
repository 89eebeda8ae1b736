//! The functions that a wasm guest exports: `parigot_abi`, `parigot_open`, `parigot_inbox` and
//! `parigot_turn`. A native host calls them directly, and [`close`] too.
//!
//! They convert between addresses of the host and safe code. The macros write the exports.

use alloc::rc::Rc;
use core::mem::ManuallyDrop;
use core::ptr;

use parigot_abi::{TURN_MALFORMED_INBOX, TURN_OK, VERSION};

use crate::runtime::current;
pub use crate::runtime::current::leave_panic_text;
use crate::runtime::definition::Definition;
use crate::runtime::guest::Guest;
use crate::runtime::panic::install_hook;

/// Returns the ABI version of this crate, packed. Exported as `parigot_abi`.
pub fn abi() -> u32 {
    VERSION.packed()
}

/// Creates a guest. Returns the address of its control block, which is its handle. Exported as
/// `parigot_open`.
pub fn open(definition: Definition) -> usize {
    install_hook();
    Rc::into_raw(definition.open()).expose_provenance()
}

/// Grows the inbox to at least `bytes`; its content is lost. Exported as `parigot_inbox`.
///
/// # Safety
///
/// `control` was returned by [`open`] and is not closed. Only one thread at a time uses it.
pub unsafe fn inbox(control: usize, bytes: usize) {
    // SAFETY: the caller promises the same.
    let guest = unsafe { borrow(control) };
    guest.io.grow_inbox(bytes);
}

/// Reads the inbox's first `inbox_bytes` and polls ready tasks, at most `max_polls` of them.
/// Exported as `parigot_turn`.
///
/// Returns [`TURN_OK`], or [`TURN_MALFORMED_INBOX`] with the reason in the panic text.
///
/// # Safety
///
/// As for [`inbox`].
pub unsafe fn turn(control: usize, inbox_bytes: usize, max_polls: u32) -> u32 {
    // SAFETY: the caller promises the same.
    let guest = unsafe { borrow(control) };
    let _entered = current::enter(&guest);
    match guest.turn(inbox_bytes, max_polls) {
        Ok(()) => TURN_OK,
        Err(malformed) => {
            guest
                .io
                .leave_panic_text(format_args!("malformed inbox: {malformed}"));
            TURN_MALFORMED_INBOX
        }
    }
}

/// Drops the guest and all its tasks. Wasm guests do not export it: their whole memory is dropped.
///
/// # Safety
///
/// As for [`inbox`], and `control` is not used again.
pub unsafe fn close(control: usize) {
    // SAFETY: `open` exposed the address and gave away one count of the `Rc`, which this takes
    // back.
    let guest = unsafe { Rc::from_raw(ptr::with_exposed_provenance::<Guest>(control)) };
    guest.close();
}

/// # Safety
///
/// As for [`inbox`].
unsafe fn borrow(control: usize) -> ManuallyDrop<Rc<Guest>> {
    // SAFETY: `open` exposed the address. Its count keeps the guest alive, and is not given back
    // here because of `ManuallyDrop`.
    ManuallyDrop::new(unsafe { Rc::from_raw(ptr::with_exposed_provenance::<Guest>(control)) })
}
