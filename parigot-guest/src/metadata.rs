//! Metadata: keys and values beside the messages of a call.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use parigot_abi::frame::Pairs;

/// The metadata of a response: headers, which the callee sends before the response, and trailers,
/// which it sends with the response or the failure.
///
/// See [`Call::with_metadata`](crate::Call::with_metadata) and
/// [`CallError::metadata`](crate::CallError::metadata).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// In their wire form.
    headers: Vec<u8>,
    trailers: Vec<u8>,
}

impl Metadata {
    /// No metadata.
    pub(crate) const EMPTY: Metadata = Metadata {
        headers: Vec::new(),
        trailers: Vec::new(),
    };

    /// Creates metadata from the parts of frames.
    #[doc(hidden)]
    pub fn new(headers: Vec<u8>, trailers: &[u8]) -> Self {
        Metadata {
            headers,
            trailers: trailers.into(),
        }
    }

    pub(crate) fn into_headers(self) -> Vec<u8> {
        self.headers
    }

    pub(crate) fn set_headers(&mut self, headers: Vec<u8>) {
        self.headers = headers;
    }

    /// Returns the headers.
    pub fn headers(&self) -> Entries<'_> {
        Entries::new(&self.headers)
    }

    /// Returns the trailers.
    pub fn trailers(&self) -> Entries<'_> {
        Entries::new(&self.trailers)
    }

    /// Returns true if there are neither headers nor trailers.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.trailers.is_empty()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("headers", &self.headers())
            .field("trailers", &self.trailers())
            .finish()
    }
}

/// Metadata entries: keys and values, in the sender's order. A key may have several values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entries<'a> {
    /// In their wire form.
    bytes: &'a [u8],
}

impl<'a> Entries<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Entries { bytes }
    }

    /// Returns the value of a key; of several, the first.
    pub fn get(self, key: &str) -> Option<&'a str> {
        self.get_all(key).next()
    }

    /// Returns all values of a key.
    pub fn get_all(self, key: &str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter_map(move |(known, value)| (known == key).then_some(value))
    }

    /// Returns the bytes of a key that ends with `-bin`; of several values, the first. `None` if
    /// the key is absent or its value is not base64.
    pub fn get_bin(self, key: &str) -> Option<Vec<u8>> {
        decode_base64(self.get(key)?)
    }

    /// Returns the bytes of all values of a key that ends with `-bin`, in order; `None` for a value
    /// that is not base64.
    ///
    /// ```
    /// # fn example(metadata: &parigot_guest::Metadata) {
    /// let signatures = metadata.headers().get_all_bin("signature-bin");
    /// let valid: Vec<Vec<u8>> = signatures.flatten().collect();
    /// # }
    /// ```
    pub fn get_all_bin(self, key: &str) -> impl Iterator<Item = Option<Vec<u8>>> {
        self.get_all(key).map(decode_base64)
    }

    /// Returns an iterator over the entries.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        Pairs::new(self.bytes).map_while(Result::ok)
    }

    /// Returns true if there is no entry.
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }
}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns bytes as base64 (RFC 4648, section 4), without padding, as gRPC sends them.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = (0..3).fold(0_u32, |word, index| {
            word << 8 | u32::from(group.get(index).copied().unwrap_or(0))
        });
        // A group of n bytes has n + 1 digits.
        for digit in 0..=group.len() {
            let value = word >> (18 - 6 * digit) & 63;
            text.push(char::from(DIGITS[value as usize]));
        }
    }
    text
}

/// Reads base64, with or without padding. Returns `None` if the text is not base64.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let padded = text.len().is_multiple_of(4);
    let digits = match text.strip_suffix("==") {
        Some(digits) if padded => digits,
        _ => text.strip_suffix('=').filter(|_| padded).unwrap_or(text),
    };
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.as_bytes().chunks(4) {
        let mut word = 0_u32;
        for digit in group {
            word = word << 6 | digit_value(*digit)?;
        }
        // A single digit has too few bits for a byte.
        let count = group.len().checked_sub(1).filter(|count| *count > 0)?;
        word <<= 6 * (4 - group.len());
        bytes.extend_from_slice(&word.to_be_bytes()[1..=count]);
    }
    Some(bytes)
}

fn digit_value(digit: u8) -> Option<u32> {
    let index = DIGITS.iter().position(|known| *known == digit)?;
    Some(index as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_the_values_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode_base64(bytes.as_bytes()), text);
            assert_eq!(decode_base64(text).as_deref(), Some(bytes.as_bytes()));
            let padded = alloc::format!("{text:=<width$}", width = text.len().div_ceil(4) * 4);
            assert_eq!(decode_base64(&padded).as_deref(), Some(bytes.as_bytes()));
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode_base64(&encode_base64(&all)), Some(all));
    }

    #[test]
    fn text_that_is_not_base64_has_no_bytes() {
        for text in [
            "Z", "Zg=", "Zg===", "Z===", "Zm9vY", "Zm 9v", "Zm9_", "=", "ä",
        ] {
            assert_eq!(decode_base64(text), None, "{text}");
        }
    }
}
