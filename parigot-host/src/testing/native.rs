//! Rust guests that run natively in the process of the test, not as wasm.
//!
//! A debugger stops in such a guest, and the test needs no wasm file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::with_exposed_provenance_mut;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

use parigot_abi::control::{CONTROL_BYTES, ControlView, OUTBOX_COMMITTED_OFFSET};
use parigot_abi::{Manifest, Prologue, TURN_OK};
use parigot_guest::{Definition, turn};

use crate::error::{ActiveCall, GuestFault, Stack};
use crate::guest::code::{GuestInstance, InstanceConfig, InstanceFactory, InstantiateError, Turn};
use crate::log::guest_log::GuestLine;

/// Factory of native instances.
pub(super) struct NativeFactory {
    pub(super) define: fn() -> Definition,
}

impl InstanceFactory for NativeFactory {
    fn instantiate(
        &self,
        _: InstanceConfig<'_>,
        _: &mut dyn FnMut(&GuestLine<'_>),
    ) -> Result<Box<dyn GuestInstance>, InstantiateError> {
        Ok(Box::new(NativeGuest {
            control: turn::open((self.define)()),
            has_failed: false,
        }))
    }
}

/// Native guest instance. The SDK keeps the guest open until the instance is dropped.
struct NativeGuest {
    /// Address of the guest's control block. The SDK has exposed the provenance of this address and
    /// of the addresses in the block.
    control: usize,
    /// Set by a panic. The guest must not be entered or closed then: its state is inconsistent.
    has_failed: bool,
}

impl NativeGuest {
    fn view(&self) -> ControlView {
        let block = self.memory(self.control as u64, CONTROL_BYTES as u64);
        ControlView::read(
            block
                .first_chunk()
                .expect("the slice must have the length of a control block"),
        )
    }

    /// Returns memory of the guest: the control block or a buffer that the control block names.
    fn memory(&self, address: u64, bytes: u64) -> &[u8] {
        // SAFETY: the SDK is trusted code of this process. It has exposed the address of its
        // control block and of the buffers in the block. The guest writes to this memory only in a
        // turn, which borrows `self` mutably.
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
        // SAFETY: the inbox has this capacity, and the guest reads it only in a turn.
        unsafe { address.copy_from_nonoverlapping(inbox.as_ptr(), inbox.len()) };
    }

    /// Empties the outbox.
    ///
    /// The SDK does so at the start of a turn, but a guest may panic before that. Then the host
    /// would route the frames of the last turn again.
    fn clear_outbox(&mut self) {
        let committed = with_exposed_provenance_mut(self.control + OUTBOX_COMMITTED_OFFSET);
        // SAFETY: the control block has an atomic at this offset, and lives while the guest is
        // open. Relaxed is enough: a guest is only used by the thread that borrows `self`.
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
        // Unwind safe: the scheduler never enters a guest again after a panic.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the guest is open, and `self` is borrowed by this thread.
            unsafe { turn::turn(self.control, inbox.len(), max_polls) }
        }));
        let Ok(status) = outcome else {
            self.has_failed = true;
            return Err(GuestFault::of_trap(
                self.panic_text(),
                "it panicked".into(),
                Stack::Unknown,
            ));
        };
        if status != TURN_OK {
            return Err(GuestFault::Inbox {
                text: self.panic_text(),
            });
        }
        let view = self.view();
        Ok(Turn {
            has_more_work: view.more,
            wake_at_ns: view.wake_at_ns,
        })
    }

    fn set_manifest(&mut self, _: &Manifest) {}

    fn active_call(&self) -> Option<ActiveCall> {
        self.view()
            .running_call()
            .map(|call| ActiveCall { call, method: None })
    }

    fn has_begun(&self, call: u64) -> bool {
        self.view().has_begun(call)
    }

    fn outbox(&self) -> &[u8] {
        let ControlView {
            outbox_address,
            outbox_committed,
            ..
        } = self.view();
        self.memory(outbox_address, outbox_committed)
    }

    // A native guest writes to the streams of the test's process, so the host has no output.
    fn take_output(&mut self, _ended: bool, _line: &mut dyn FnMut(&GuestLine<'_>)) {}
}

impl Drop for NativeGuest {
    fn drop(&mut self) {
        // The memory of a guest that panicked is leaked: its destructors could panic again.
        if !self.has_failed {
            // SAFETY: the guest is open, and this is its last use.
            unsafe { turn::close(self.control) };
        }
    }
}
