//! `getrandom` in a wasm guest: what it asks for comes from the guest's generator.

use getrandom::Error;

/// The function that `getrandom` calls where it is built with `--cfg getrandom_backend="custom"`.
///
/// # Errors
///
/// Outside of a turn there is no guest to draw from.
///
/// # Safety
///
/// `dest` is the start of `len` bytes that may be written, initialised or not.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(dest: *mut u8, len: usize) -> Result<(), Error> {
    // SAFETY: they may be written, and no byte of them is read before that.
    let bytes = unsafe {
        dest.write_bytes(0, len);
        core::slice::from_raw_parts_mut(dest, len)
    };
    crate::turn::fill_random(bytes).ok_or(Error::UNEXPECTED)
}
