//! The exports of a guest, each one line into [`turn`](crate::turn).

/// Exports a guest, from a function that defines it. What `service!` and `program` expand to.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($definition:expr) => {
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
            unsafe extern "C" fn parigot_turn(control: usize, inbox_bytes: usize, max_polls: u32) -> u32 {
                // SAFETY: the host keeps to the ABI.
                unsafe { $crate::turn::turn(control, inbox_bytes, max_polls) }
            }
        };
    };
}

/// Elsewhere nothing is exported, but what the macros were given is checked.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($definition:expr) => {
        const _: fn() -> $crate::Definition = $definition;
    };
}
