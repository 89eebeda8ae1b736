//! Wakes a proxy from threads that are not workers of the kernel.

use std::sync::{Arc, OnceLock};

use crate::kernel::index::InstanceIndex;
use crate::kernel::scheduler::Kernel;

/// Callback that schedules a turn of a proxy, set after the kernel has been created.
///
/// A proxy has a queue of its own, which other threads fill. They wake the proxy to read the queue.
#[derive(Default)]
pub(crate) struct ProxyWaker(OnceLock<Box<dyn Fn() + Send + Sync>>);

impl ProxyWaker {
    /// Connects the waker with its proxy.
    pub(crate) fn connect_to(&self, kernel: &Arc<Kernel>, proxy: InstanceIndex) {
        // A weak reference: threads that wake a proxy must not keep the kernel alive.
        let kernel = Arc::downgrade(kernel);
        self.connect(move || {
            if let Some(kernel) = kernel.upgrade() {
                let instance = &kernel.instances[proxy];
                kernel.wake(instance, instance.notify());
            }
        });
    }

    /// Sets the callback and calls it at once, because the queue may have entries already.
    pub(crate) fn connect(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.0.get_or_init(|| Box::new(wake));
        self.wake();
    }

    /// Wakes the proxy. The caller holds no lock: waking takes locks of the kernel.
    pub(crate) fn wake(&self) {
        if let Some(wake) = self.0.get() {
            wake();
        }
    }
}
