//! Response metadata that handlers have set and that is not sent yet.

use alloc::vec::Vec;

use parigot_abi::frame::push_pair;

/// Response metadata of unanswered calls. Empty in most guests.
#[derive(Default)]
pub(crate) struct ResponseMetadata {
    /// Sorted by number, so that many calls are found fast.
    calls: Vec<CallMetadata>,
}

/// Headers and trailers of one call, in their wire form.
pub(crate) struct CallMetadata {
    number: u64,
    pub(crate) headers: Vec<u8>,
    pub(crate) trailers: Vec<u8>,
}

/// The part of a response that an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Header,
    Trailer,
}

impl ResponseMetadata {
    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Adds an entry to an unanswered call.
    pub(crate) fn add(&mut self, number: u64, part: Part, key: &str, value: &str) {
        let index = match self.find(number) {
            Ok(index) => index,
            Err(index) => {
                let call = CallMetadata {
                    number,
                    headers: Vec::new(),
                    trailers: Vec::new(),
                };
                self.calls.insert(index, call);
                index
            }
        };
        let call = &mut self.calls[index];
        let entries = match part {
            Part::Header => &mut call.headers,
            Part::Trailer => &mut call.trailers,
        };
        push_pair(entries, key, value);
    }

    /// Removes the metadata of a call that is answered now.
    pub(crate) fn remove(&mut self, number: u64) -> Option<CallMetadata> {
        let index = self.find(number).ok()?;
        Some(self.calls.remove(index))
    }

    /// Removes the headers of a call, which keeps its trailers.
    pub(crate) fn take_headers(&mut self, number: u64) -> Vec<u8> {
        match self.find(number) {
            Ok(index) => core::mem::take(&mut self.calls[index].headers),
            Err(_) => Vec::new(),
        }
    }

    fn find(&self, number: u64) -> Result<usize, usize> {
        self.calls.binary_search_by_key(&number, |call| call.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_has_its_own_metadata() {
        let mut metadata = ResponseMetadata::default();
        assert!(metadata.is_empty() && metadata.remove(1).is_none());
        for number in [2, 1 << 63, 1, 2] {
            metadata.add(number, Part::Trailer, "k", "v");
        }
        assert!(metadata.remove(3).is_none());
        let lengths = [1, 2, 1 << 63].map(|number| {
            let call = metadata.remove(number).expect("metadata was added");
            assert!(call.headers.is_empty());
            call.trailers.len()
        });
        assert_eq!(lengths, [10, 20, 10]);
        assert!(metadata.is_empty());
    }
}
