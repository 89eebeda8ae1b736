//! Keys of metadata that a guest may set.

use core::fmt;

use parigot_abi::frame::{Level, is_reserved_key};

use crate::log;
use crate::runtime::guest::Guest;

/// Ending of the keys whose values are base64.
const BINARY: &str = "-bin";

/// Returns true if a guest may set the key. Otherwise the entry is dropped, and the log says why.
pub(crate) fn may_set(guest: &Guest, key: &str, is_binary: bool) -> bool {
    if is_reserved_key(key) {
        warn(
            guest,
            format_args!(
                "metadata key {key:?} dropped: only the host sets keys that begin with parigot-"
            ),
        );
        return false;
    }
    if is_binary && !key.ends_with(BINARY) {
        warn(
            guest,
            format_args!(
                "metadata key {key:?} dropped: the key of a binary value must end with {BINARY}"
            ),
        );
        return false;
    }
    true
}

#[cold]
fn warn(guest: &Guest, text: fmt::Arguments<'_>) {
    log::write(guest, Level::Warn, guest.current().number, text);
}
