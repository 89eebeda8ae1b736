//! The guest whose turn is running, for code that has no [`Context`](crate::Context): panic
//! handlers, the allocator, `getrandom` and the printing macros.

use core::fmt;
use core::marker::PhantomData;

use crate::runtime::guest::Guest;

/// Marks the guest whose turn is running. A drop of the mark restores the previous guest.
#[must_use = "the guest is current until this is dropped"]
pub(crate) struct Entered<'a> {
    previous: *const Guest,
    guest: PhantomData<&'a Guest>,
}

/// Marks `guest` as current until the returned value is dropped.
pub(crate) fn enter(guest: &Guest) -> Entered<'_> {
    Entered {
        previous: cell::replace(guest),
        guest: PhantomData,
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        cell::replace(self.previous);
    }
}

/// Leaves a text for the host, which reads it if the guest fails now.
///
/// Call it in a panic handler: it does not allocate. Outside of a turn it does nothing.
pub fn leave_panic_text(text: fmt::Arguments<'_>) {
    with_current(|guest| guest.io.leave_panic_text(text));
}

/// Fills `bytes` from the random generator of the current guest. Returns `None` outside of a turn.
#[cfg(all(feature = "getrandom", target_family = "wasm"))]
pub(crate) fn fill_random(bytes: &mut [u8]) -> Option<()> {
    with_current(|guest| guest.generator.borrow_mut().fill(bytes))
}

/// Returns the result of `use_guest` for the current guest; `None` outside of a turn.
pub(crate) fn with_current<T>(use_guest: impl FnOnce(&Guest) -> T) -> Option<T> {
    let guest = cell::get();
    // SAFETY: the pointer is null, or was set by `enter` on this thread from a reference that
    // lives longer than the `Entered` that resets it.
    unsafe { guest.as_ref() }.map(use_guest)
}

#[cfg(feature = "std")]
mod cell {
    use core::cell::Cell;
    use core::ptr;

    use super::Guest;

    std::thread_local! {
        static CURRENT: Cell<*const Guest> = const { Cell::new(ptr::null()) };
    }

    pub(super) fn get() -> *const Guest {
        CURRENT.get()
    }

    pub(super) fn replace(guest: *const Guest) -> *const Guest {
        CURRENT.replace(guest)
    }
}

/// Without std there are no thread-locals. A wasm guest has one thread, so a static variable is
/// enough. On native targets several threads may run guests, so the module stores no guest there.
#[cfg(not(feature = "std"))]
mod cell {
    use core::ptr;
    use core::sync::atomic::{AtomicPtr, Ordering};

    use super::Guest;

    static CURRENT: AtomicPtr<Guest> = AtomicPtr::new(ptr::null_mut());

    pub(super) fn get() -> *const Guest {
        CURRENT.load(Ordering::Relaxed)
    }

    pub(super) fn replace(guest: *const Guest) -> *const Guest {
        let guest = if cfg!(target_family = "wasm") {
            guest.cast_mut()
        } else {
            ptr::null_mut()
        };
        // Relaxed: no other thread reads the pointer.
        CURRENT.swap(guest, Ordering::Relaxed)
    }
}
