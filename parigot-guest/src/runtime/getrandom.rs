//! Backend for `getrandom` in a wasm guest: bytes come from the guest's random generator.

use getrandom::Error;

/// Fills `len` bytes at `dest`. `getrandom` calls this function if it is built with
/// `--cfg getrandom_backend="custom"`.
///
/// # Errors
///
/// Outside of a turn, when no guest is current.
///
/// # Safety
///
/// `dest` points to `len` bytes that may be written; they may be uninitialised.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(dest: *mut u8, len: usize) -> Result<(), Error> {
    // SAFETY: the caller lets us write the bytes, and they are initialised before the slice exists.
    let bytes = unsafe {
        dest.write_bytes(0, len);
        core::slice::from_raw_parts_mut(dest, len)
    };
    crate::runtime::current::fill_random(bytes).ok_or(Error::UNEXPECTED)
}
