//! The exports of a guest, each one line into [`turn`](crate::turn).

/// Exports a guest, from a function that defines it. What `service!` and `program` expand to.
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
                    // SAFETY: the host keeps to the ABI.
                    unsafe { $crate::turn::inbox(control, bytes) }
                }

                #[unsafe(no_mangle)]
                unsafe extern "C" fn parigot_turn(
                    control: usize,
                    inbox_bytes: usize,
                    max_polls: u32,
                ) -> u32 {
                    // SAFETY: the host keeps to the ABI.
                    unsafe { $crate::turn::turn(control, inbox_bytes, max_polls) }
                }
            };
        };
    };
}

/// Elsewhere nothing is exported, and the guest has a name, by which a host for tests runs it.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($definition:expr) => {
        /// This guest, for a host for tests, which runs it as it is.
        #[allow(dead_code, reason = "only tests ask for it")]
        pub const GUEST: fn() -> $crate::Definition = $definition;
    };
}
