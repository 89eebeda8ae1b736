//! Bodies of requests and replies.

use bytes::Bytes;

/// Response headers, metadata, detail and payload of a request or reply, concatenated.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Body {
    pub(crate) lengths: Lengths,
    pub(crate) bytes: Bytes,
}

/// Parts of a body.
pub(crate) struct BodyParts {
    pub(crate) headers: Bytes,
    pub(crate) metadata: Bytes,
    pub(crate) detail: Bytes,
    pub(crate) payload: Bytes,
}

/// Sizes in bytes of the parts of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lengths {
    pub(super) headers: u32,
    pub(super) metadata: u32,
    pub(super) detail: u32,
    /// Size of the whole body; the payload has the bytes after the other parts.
    pub(super) total: u32,
}

/// Content of a request or reply envelope.
#[derive(Debug, PartialEq)]
pub(crate) enum Content {
    /// The envelope contains the body.
    Whole(Body),
    /// The body follows in chunks.
    Chunked(Lengths),
}

impl Body {
    /// Concatenates the parts of a body without headers; `None` for 4 GiB or more.
    pub(crate) fn of(metadata: &[u8], detail: &[u8], payload: &[u8]) -> Option<Self> {
        Self::with_headers(&[], metadata, detail, payload)
    }

    /// Concatenates the parts; `None` for 4 GiB or more.
    pub(crate) fn with_headers(
        headers: &[u8],
        metadata: &[u8],
        detail: &[u8],
        payload: &[u8],
    ) -> Option<Self> {
        let bytes = [headers, metadata, detail, payload].concat();
        let lengths = Lengths {
            headers: headers.len().try_into().ok()?,
            metadata: metadata.len().try_into().ok()?,
            detail: detail.len().try_into().ok()?,
            total: bytes.len().try_into().ok()?,
        };
        Some(Body {
            lengths,
            bytes: bytes.into(),
        })
    }

    /// Splits the body into its parts without a copy.
    pub(crate) fn parts(mut self) -> BodyParts {
        let headers = self.bytes.split_to(self.lengths.headers as usize);
        let metadata = self.bytes.split_to(self.lengths.metadata as usize);
        let detail = self.bytes.split_to(self.lengths.detail as usize);
        BodyParts {
            headers,
            metadata,
            detail,
            payload: self.bytes,
        }
    }
}

impl Lengths {
    /// Returns the size of the whole body in bytes.
    pub(crate) fn bytes(self) -> usize {
        self.total as usize
    }

    /// Combines the announced lengths with the body bytes of the envelope; `None` if they do not
    /// match.
    pub(super) fn content(self, body: &Bytes) -> Option<Content> {
        // The sum of peer-controlled `u32` values can exceed 32 bits.
        let parts = [self.headers, self.metadata, self.detail].map(u64::from);
        let is_valid = parts.iter().sum::<u64>() <= u64::from(self.total);
        match body.len() {
            _ if !is_valid => None,
            bytes if bytes == self.bytes() => Some(Content::Whole(Body {
                lengths: self,
                bytes: body.clone(),
            })),
            0 => Some(Content::Chunked(self)),
            _ => None,
        }
    }
}

impl Content {
    pub(crate) fn lengths(&self) -> Lengths {
        match self {
            Content::Whole(Body { lengths, .. }) | Content::Chunked(lengths) => *lengths,
        }
    }

    pub(super) fn into_fields(self) -> (Lengths, Bytes) {
        match self {
            Content::Whole(Body { lengths, bytes }) => (lengths, bytes),
            Content::Chunked(lengths) => (lengths, Bytes::new()),
        }
    }
}
