//! The exports of a guest, each of which calls one function of [`turn`](crate::turn).

/// Exports the guest that a function defines. `service!` and `#[program]` expand to it.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($definition:expr) => {
        const _: () = {
            const DEFINITION: fn() -> $crate::Definition = $definition;

            #[cfg(not(test))]
            const _: () = {
                #[unsafe(no_mangle)]
                extern "C" fn parigot_abi() -> u32 {
                    $crate::turn::abi()
                }

                #[unsafe(no_mangle)]
                extern "C" fn parigot_open() -> usize {
                    $crate::turn::open(DEFINITION())
                }

                #[unsafe(no_mangle)]
                unsafe extern "C" fn parigot_inbox(control: usize, bytes: usize) {
                    // SAFETY: the host adheres to the ABI.
                    unsafe { $crate::turn::inbox(control, bytes) }
                }

                #[unsafe(no_mangle)]
                unsafe extern "C" fn parigot_turn(
                    control: usize,
                    inbox_bytes: usize,
                    max_polls: u32,
                ) -> u32 {
                    // SAFETY: the host adheres to the ABI.
                    unsafe { $crate::turn::turn(control, inbox_bytes, max_polls) }
                }
            };
        };
    };
}

/// Natively nothing is exported. Tests run the guest by the constant `GUEST`.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($definition:expr) => {
        /// This guest, for a test host that runs it natively.
        #[allow(dead_code, reason = "only tests use it")]
        pub const GUEST: fn() -> $crate::Definition = $definition;
    };
}

/// Declares the descriptors of a generated module. In wasm they are a custom section of the module,
/// and natively a constant.
///
/// The static `FILES` has no other purpose in wasm than to be referred to: the linker takes the
/// custom section from an object file only if something else of that file is used.
#[doc(hidden)]
#[macro_export]
macro_rules! __descriptors {
    ($bytes:literal) => {
        #[cfg(target_family = "wasm")]
        #[unsafe(link_section = "parigot.descriptors")]
        #[allow(dead_code, reason = "programs that read the module use it")]
        static SECTION: [u8; $bytes.len()] = *$bytes;

        #[cfg(target_family = "wasm")]
        pub static FILES: $crate::Descriptors = $crate::Descriptors::new(&[]);
        #[cfg(not(target_family = "wasm"))]
        pub static FILES: $crate::Descriptors = $crate::Descriptors::new($bytes);
    };
}

/// Declares the descriptors of a module that belongs to the SDK, as a constant in wasm too.
///
/// A section would be in the module of every guest, because the objects of the SDK are linked into
/// every guest. The linker drops an unused constant, and the manifest carries a used one.
#[doc(hidden)]
#[macro_export]
macro_rules! __descriptors_of_sdk {
    ($bytes:literal) => {
        pub static FILES: $crate::Descriptors = $crate::Descriptors::new($bytes);
    };
}
