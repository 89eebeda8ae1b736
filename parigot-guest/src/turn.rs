//! What a guest exports: the functions behind `parigot_abi`, `parigot_open`, `parigot_inbox`, `parigot_turn` and
//! `parigot_close`.
//!
//! They stand between the host's addresses and safe code; behind them nothing is `unsafe`. The macros export them.

use alloc::rc::Rc;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;

use parigot_abi::{TURN_MALFORMED_INBOX, TURN_OK, VERSION};

use crate::runtime::definition::Definition;
use crate::runtime::guest::Guest;

/// `parigot_abi`: the version of the ABI that this crate speaks, packed.
pub fn abi() -> u32 {
    VERSION.packed()
}

/// `parigot_open`: makes a guest and returns the address of its control block, which is its handle.
pub fn open(definition: Definition) -> usize {
    crate::runtime::panic::install_hook();
    Rc::into_raw(Guest::new(definition)).expose_provenance()
}

/// `parigot_inbox`: makes the inbox at least that big. What it held is lost.
///
/// # Safety
///
/// `control` is what [`open`] returned, was not closed, and is used by one thread at a time.
pub unsafe fn inbox(control: usize, bytes: usize) {
    // SAFETY: the caller promises it.
    let guest = unsafe { borrow(control) };
    guest.grow_inbox(bytes);
}

/// `parigot_turn`: reads the inbox's first `inbox_bytes` and polls ready tasks, at most `max_polls` of them.
///
/// Returns [`TURN_OK`], or [`TURN_MALFORMED_INBOX`] and then the panic text says why.
///
/// # Safety
///
/// As for [`inbox`].
pub unsafe fn turn(control: usize, inbox_bytes: usize, max_polls: u32) -> u32 {
    // SAFETY: the caller promises it.
    let guest = unsafe { borrow(control) };
    let _entered = current::enter(Rc::as_ptr(&guest));
    match guest.turn(inbox_bytes, max_polls) {
        Ok(()) => TURN_OK,
        Err(malformed) => {
            guest.leave_panic_text(format_args!("malformed inbox: {malformed}"));
            TURN_MALFORMED_INBOX
        }
    }
}

/// `parigot_close`: drops the guest with all that it runs.
///
/// # Safety
///
/// As for [`inbox`], and `control` is not used again.
pub unsafe fn close(control: usize) {
    // SAFETY: the address was exposed by `open`; this takes back the count that `open` gave away.
    let guest = unsafe { Rc::from_raw(ptr::with_exposed_provenance::<Guest>(control)) };
    guest.close();
}

/// Leaves a text for the host, which reads it if the guest breaks now. For panic handlers: it allocates nothing.
///
/// Outside of a turn it does nothing.
pub fn leave_panic_text(text: fmt::Arguments<'_>) {
    with_current(|guest| guest.leave_panic_text(text));
}

/// Fills `bytes` from the generator of the guest that is in a turn, if one is.
#[cfg(all(feature = "getrandom", target_family = "wasm"))]
pub(crate) fn fill_random(bytes: &mut [u8]) -> Option<()> {
    with_current(|guest| guest.fill_random(bytes))
}

/// # Safety
///
/// As for [`inbox`].
unsafe fn borrow(control: usize) -> ManuallyDrop<Rc<Guest>> {
    // SAFETY: the address was exposed by `open`, whose count keeps the guest alive and is not given back here.
    ManuallyDrop::new(unsafe { Rc::from_raw(ptr::with_exposed_provenance::<Guest>(control)) })
}

fn with_current<T>(use_guest: impl FnOnce(&Guest) -> T) -> Option<T> {
    let guest = current::get();
    // SAFETY: it is set while `turn` borrows the guest, on this thread, and null at other times.
    unsafe { guest.as_ref() }.map(use_guest)
}

/// The guest that is in a turn on this thread.
#[cfg(feature = "std")]
mod current {
    use core::cell::Cell;
    use core::ptr;

    use crate::runtime::guest::Guest;

    std::thread_local! {
        static CURRENT: Cell<*const Guest> = const { Cell::new(ptr::null()) };
    }

    pub(super) fn get() -> *const Guest {
        CURRENT.get()
    }

    /// Sets the guest back when dropped.
    pub(super) struct Entered(*const Guest);

    pub(super) fn enter(guest: *const Guest) -> Entered {
        Entered(CURRENT.replace(guest))
    }

    impl Drop for Entered {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
}

/// The guest that is in a turn. A wasm guest has one thread; natively, without std, no guest is remembered.
#[cfg(not(feature = "std"))]
mod current {
    use core::ptr;
    use core::sync::atomic::{AtomicPtr, Ordering};

    use crate::runtime::guest::Guest;

    static CURRENT: AtomicPtr<Guest> = AtomicPtr::new(ptr::null_mut());

    pub(super) fn get() -> *const Guest {
        CURRENT.load(Ordering::Relaxed)
    }

    /// Sets the guest back when dropped.
    pub(super) struct Entered(*mut Guest);

    pub(super) fn enter(guest: *const Guest) -> Entered {
        let guest = if cfg!(target_family = "wasm") {
            guest.cast_mut()
        } else {
            ptr::null_mut()
        };
        Entered(CURRENT.swap(guest, Ordering::Relaxed))
    }

    impl Drop for Entered {
        fn drop(&mut self) {
            CURRENT.store(self.0, Ordering::Relaxed);
        }
    }
}
