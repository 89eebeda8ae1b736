//! Names of worker threads, for a debugger: a debugger lists threads, and each turn runs on one.

use std::fs;

use crate::kernel::index::InstanceIndex;
use crate::kernel::observer::Observer;
use crate::kernel::scheduler::Kernel;

/// Name of a worker thread between two turns.
pub(crate) const WORKER: &str = "parigot worker";

/// File of Linux with the name of the thread that opens it. Longer names are cut off after 15
/// bytes.
const NAME_OF_THREAD: &str = "/proc/thread-self/comm";

/// Observer that gives a worker's thread the name of the guest that runs.
pub(crate) struct ThreadNames<'k>(pub(crate) &'k Kernel);

impl Observer for ThreadNames<'_> {
    fn turn_begins(&mut self, instance: InstanceIndex, _now_ns: u64) {
        set_name(&self.0.instances[instance].name);
    }

    fn turn_ended(&mut self, _instance: InstanceIndex) {
        set_name(WORKER);
    }
}

/// Names the calling thread, on Linux only.
fn set_name(name: &str) {
    // A name is a help for the reader of a list, so that an error is no problem.
    let _ = fs::write(NAME_OF_THREAD, name);
}
