//! Guests in Rust that run in the process of the test as they are, and not as wasm: a debugger stops in them, and nothing is built before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::with_exposed_provenance_mut;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

use parigot_abi::control::{CONTROL_BYTES, ControlView, OUTBOX_COMMITTED_OFFSET};
use parigot_abi::frame::Level;
use parigot_abi::{Manifest, Prologue, TURN_OK};
use parigot_guest::{Definition, turn};

use crate::error::{ActiveCall, GuestFault};
use crate::guest::code::{GuestInstance, InstanceConfig, InstanceFactory, InstantiateError, Turn};

/// What native instances are made from.
pub(super) struct NativeFactory {
    pub(super) define: fn() -> Definition,
}

impl InstanceFactory for NativeFactory {
    fn instantiate(
        &self,
        _: InstanceConfig<'_>,
        _: &mut dyn FnMut(Level, &str),
    ) -> Result<Box<dyn GuestInstance>, InstantiateError> {
        Ok(Box::new(NativeGuest {
            control: turn::open((self.define)()),
            has_failed: false,
        }))
    }
}

/// A running guest, which is open until this is dropped.
struct NativeGuest {
    /// The address of its control block.
    control: usize,
    has_failed: bool,
}

impl NativeGuest {
    fn view(&self) -> ControlView {
        let block = self.memory(self.control as u64, CONTROL_BYTES as u64);
        ControlView::read(block.first_chunk().expect("the slice is that long"))
    }

    /// A part of what the guest has told its host of.
    fn memory(&self, address: u64, bytes: u64) -> &[u8] {
        // SAFETY: the SDK, which is no stranger here, has exposed the address of its control block, and stands in it by the others.
        // The guest changes what is there only in a turn, for which it is borrowed as a whole.
        unsafe {
            slice::from_raw_parts(
                with_exposed_provenance_mut(address as usize),
                bytes as usize,
            )
        }
    }

    fn fill_inbox(&mut self, inbox: &[u8]) {
        if self.view().inbox_capacity < inbox.len() as u64 {
            // SAFETY: the guest is open, and `self` is borrowed by this thread.
            unsafe { turn::inbox(self.control, inbox.len()) };
        }
        let address = with_exposed_provenance_mut::<u8>(self.view().inbox_address as usize);
        // SAFETY: the inbox has that capacity, and nobody else looks at it between turns.
        unsafe { address.copy_from_nonoverlapping(inbox.as_ptr(), inbox.len()) };
    }

    /// What was sent in the last turn is not sent again by a guest that panics at once.
    fn clear_outbox(&mut self) {
        let committed = with_exposed_provenance_mut(self.control + OUTBOX_COMMITTED_OFFSET);
        // SAFETY: the control block has an atomic there, and lives as long as the guest is open.
        unsafe { AtomicU64::from_ptr(committed) }.store(0, Ordering::Relaxed);
    }

    fn panic_text(&self) -> String {
        let ControlView {
            panic_address,
            panic_bytes,
            ..
        } = self.view();
        String::from_utf8_lossy(self.memory(panic_address, panic_bytes)).into_owned()
    }
}

impl GuestInstance for NativeGuest {
    fn turn(
        &mut self,
        prologue: Prologue,
        frames: &[u8],
        max_polls: u32,
    ) -> Result<Turn, GuestFault> {
        let inbox = [&prologue.to_bytes(), frames].concat();
        self.fill_inbox(&inbox);
        self.clear_outbox();
        // SAFETY: the guest is open, and `self` is borrowed by this thread.
        let turn = || unsafe { turn::turn(self.control, inbox.len(), max_polls) };
        // After a panic it is never entered again.
        let Ok(status) = catch_unwind(AssertUnwindSafe(turn)) else {
            self.has_failed = true;
            return Err(GuestFault::of_trap(self.panic_text(), "it panicked".into()));
        };
        if status != TURN_OK {
            return Err(GuestFault::Inbox {
                text: self.panic_text(),
            });
        }
        let ControlView {
            more, wake_at_ns, ..
        } = self.view();
        Ok(Turn { more, wake_at_ns })
    }

    fn learn(&mut self, _: &Manifest) {}

    fn active_call(&self) -> Option<ActiveCall> {
        self.view()
            .culprit()
            .map(|call| ActiveCall { call, method: None })
    }

    fn outbox(&self) -> &[u8] {
        let ControlView {
            outbox_address,
            outbox_committed,
            ..
        } = self.view();
        self.memory(outbox_address, outbox_committed)
    }

    fn take_output(&mut self, _ended: bool, _line: &mut dyn FnMut(Level, &str)) {}
}

impl Drop for NativeGuest {
    fn drop(&mut self) {
        // What a panic has left half done stays as it is.
        if !self.has_failed {
            // SAFETY: the guest is open, and used for the last time.
            unsafe { turn::close(self.control) };
        }
    }
}
