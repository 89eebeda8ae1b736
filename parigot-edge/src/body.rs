//! Body of a response.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use tokio::sync::OwnedSemaphorePermit;

/// Body of a response of any protocol.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

/// Body of a response, with the place of the call among the calls in flight.
pub(crate) struct EdgeBody {
    inner: ResponseBody,
    /// Held until the body is sent.
    _permit: Option<OwnedSemaphorePermit>,
}

impl EdgeBody {
    /// Creates a body of a call in flight.
    pub(crate) fn of_call(inner: ResponseBody, permit: OwnedSemaphorePermit) -> Self {
        EdgeBody {
            inner,
            _permit: Some(permit),
        }
    }

    /// Creates a body that belongs to no call.
    pub(crate) fn new(inner: ResponseBody) -> Self {
        EdgeBody {
            inner,
            _permit: None,
        }
    }

    /// Creates a body of a short text.
    pub(crate) fn text(text: &'static str) -> Self {
        EdgeBody::new(Full::new(Bytes::from_static(text.as_bytes())).boxed_unsync())
    }
}

impl Body for EdgeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
