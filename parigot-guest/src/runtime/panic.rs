//! Leaves the message of a panic for the host: a panic hook with std, a panic handler without.

/// Installs the panic hook, once for all guests of the process.
#[cfg(feature = "std")]
pub(crate) fn install_hook() {
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(alloc::boxed::Box::new(move |info| {
            if let Some(location) = info.location() {
                let message = info.payload_as_str().unwrap_or("a payload without text");
                crate::runtime::current::leave_panic_text(format_args!(
                    "panicked at {location}: {message}"
                ));
            }
            previous(info);
        }));
    });
}

/// Does nothing: without std, the panic handler of this crate or of the user stores the text.
#[cfg(not(feature = "std"))]
pub(crate) fn install_hook() {}

#[cfg(all(
    feature = "panic-handler",
    not(feature = "std"),
    target_family = "wasm"
))]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    if let Some(location) = info.location() {
        crate::runtime::current::leave_panic_text(format_args!(
            "panicked at {location}: {}",
            info.message()
        ));
    }
    core::arch::wasm32::unreachable()
}
