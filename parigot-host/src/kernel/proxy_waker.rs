//! Wakes a proxy from threads that are not workers of the kernel.

use std::sync::{Arc, OnceLock};

use crate::kernel::index::InstanceIndex;
use crate::kernel::scheduler::Kernel;

/// Callback that schedules a turn of a proxy, set after the kernel has been created.
///
/// A proxy has a queue of its own, which other threads fill. They wake the proxy to read the queue.
#[derive(Default)]
pub(crate) struct ProxyWaker {
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
    is_served: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl ProxyWaker {
    /// Connects the waker with its proxy.
    pub(crate) fn connect_to(&self, kernel: &Arc<Kernel>, proxy: InstanceIndex) {
        // A weak reference: threads that wake a proxy must not keep the kernel alive.
        let kernel = Arc::downgrade(kernel);
        let of_lifecycle = kernel.clone();
        self.is_served.get_or_init(|| {
            Box::new(move || {
                let kernel = of_lifecycle.upgrade();
                kernel.is_none_or(|kernel| kernel.lifecycle.is_served(proxy))
            })
        });
        self.connect(move || {
            if let Some(kernel) = kernel.upgrade() {
                let instance = &kernel.instances[proxy];
                kernel.wake(instance, instance.notify());
            }
        });
    }

    /// Sets the callback and calls it at once, because the queue may have entries already.
    pub(crate) fn connect(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.wake.get_or_init(|| Box::new(wake));
        self.wake();
    }

    /// Wakes the proxy. The caller holds no lock: waking takes locks of the kernel.
    pub(crate) fn wake(&self) {
        if let Some(wake) = self.wake.get() {
            wake();
        }
    }

    /// Returns `false` while a service that the proxy requires has no instance that is ready. The
    /// kernel wakes the proxy at each change.
    pub(crate) fn is_served(&self) -> bool {
        self.is_served.get().is_none_or(|is_served| is_served())
    }
}
