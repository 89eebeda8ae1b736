//! Answers to a debugger that has stopped the process: which guest waits for which call.
//!
//! Most guests are idle, and an idle guest has no thread that a debugger could show. The scripts
//! of the command call [`parigot_calls`] in the stopped process.

use std::ffi::{CString, c_char};
use std::fmt::Write as _;
use std::hint::black_box;
use std::ptr;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::kernel::scheduler::Kernel;

/// Kernel of the deployment that was started last for a debugger.
static KERNEL: Mutex<Weak<Kernel>> = Mutex::new(Weak::new());

/// Lets a debugger see the calls of a kernel.
pub(crate) fn show(kernel: &Arc<Kernel>) {
    *KERNEL.lock() = Arc::downgrade(kernel);
    // The linker removes functions that nothing uses.
    black_box(parigot_calls as extern "C" fn() -> *const c_char);
}

/// Returns a line for each guest, as a text that is never freed, or null. No other thread may run
/// meanwhile, so that nothing here waits for a lock.
#[unsafe(no_mangle)]
extern "C" fn parigot_calls() -> *const c_char {
    let kernel = KERNEL.try_lock().and_then(|kernel| kernel.upgrade());
    let text = kernel.and_then(|kernel| CString::new(calls(&kernel)).ok());
    text.map_or(ptr::null(), |text| text.into_raw())
}

fn calls(kernel: &Kernel) -> String {
    let mut text = String::new();
    for instance in &kernel.instances {
        let waits = kernel.peek(instance, |state| {
            let mut calls: Vec<_> = state
                .calls
                .outbound
                .values()
                .map(|call| (call.deadline_ns, call.id, call.callee))
                .collect();
            calls.sort_unstable_by_key(|(deadline_ns, ..)| *deadline_ns);
            calls
        });
        let name = &instance.name;
        let line = match waits.as_deref() {
            None => writeln!(text, "{name} runs, or is about to run"),
            Some([]) => writeln!(text, "{name} waits for no call"),
            Some(calls) => calls.iter().try_for_each(|(_, id, callee)| {
                let callee = &kernel.instances[*callee].name;
                writeln!(text, "{name} waits for {callee}, {id}")
            }),
        };
        line.expect("writing to memory cannot fail");
    }
    text
}
