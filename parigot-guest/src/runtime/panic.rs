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
                let replacement = replacement(message);
                crate::runtime::current::leave_panic_text(format_args!(
                    "panicked at {location}: {message}{replacement}"
                ));
            }
            previous(info);
        }));
    });
}

/// Returns what to use instead of a part of std that panics in wasm guests, because they have no
/// imports; empty for all other panics.
#[cfg(feature = "std")]
fn replacement(message: &str) -> &'static str {
    match message {
        "time not implemented on this platform" => {
            "; the time of a guest is `cx.now()`, and `cx.wall()` since 1970"
        }
        "can't sleep" => "; use `cx.sleep(duration).await`, which lets other handlers run",
        _ if message.starts_with("failed to spawn thread") => {
            "; a guest has one thread: use `cx.spawn(future)`, or a job for long computations"
        }
        _ => "",
    }
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

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::replacement;

    #[test]
    fn panics_of_std_name_the_replacement() {
        let spawn = "failed to spawn thread: Error { kind: Unsupported, message: \"operation not \
                     supported on this platform\" }";
        for (message, named) in [
            ("time not implemented on this platform", "cx.now()"),
            ("can't sleep", "cx.sleep("),
            (spawn, "cx.spawn("),
        ] {
            assert!(replacement(message).contains(named), "{message}");
        }
        assert_eq!(replacement("index out of bounds"), "");
    }
}
