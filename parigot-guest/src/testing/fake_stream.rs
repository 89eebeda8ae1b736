//! Calls of a fake whose methods stream, for hosts of tests.

use alloc::vec::Vec;

use parigot_abi::{Frame, Header, StreamContent};

use super::answer::FakeReply;
use super::call_stream::CallStream;
use super::fake::Fake;
use crate::service_info::Service;

/// A fake's end of a stream. The fake answers when it has all requests.
#[doc(hidden)]
#[derive(Debug)]
pub struct FakeStream {
    fake: Fake,
    service: &'static Service,
    method: u32,
    /// Encoded, like the metadata of the call.
    requests: Vec<Vec<u8>>,
    metadata: Vec<u8>,
    stream: CallStream,
    /// The end of the call, which follows the responses.
    reply: Option<FakeReply>,
}

impl FakeStream {
    /// Begins a call, which the fake answers at once if its requests do not stream.
    pub fn new(fake: &Fake, service: &'static Service, method: u32, call: &Frame<'_>) -> Self {
        let mut stream = FakeStream {
            fake: fake.clone(),
            service,
            method,
            requests: Vec::new(),
            metadata: call.metadata.into(),
            stream: CallStream::of_fake(),
            reply: None,
        };
        if !service.methods[method as usize].streams_requests() {
            stream.requests.push(call.payload.into());
            stream.answer();
        }
        stream
    }

    /// Notes a frame of the caller.
    pub fn note(&mut self, content: StreamContent<'_>) {
        self.stream.note(Some(content));
        self.requests.extend(self.stream.take());
        if content == StreamContent::End {
            self.answer();
        }
    }

    /// Returns true once the fake has sent a frame.
    pub fn has_begun(&self) -> bool {
        self.stream.has_sent()
    }

    fn answer(&mut self) {
        let requests = core::mem::take(&mut self.requests);
        let mut reply = self
            .fake
            .serve_stream(self.service, self.method, requests, &self.metadata);
        for response in core::mem::take(&mut reply.responses) {
            self.stream.push(response);
        }
        self.reply = Some(reply);
    }

    /// Sends the frames that are due. Returns the end of the call once all responses were sent.
    pub fn send_due(&mut self, number: u64, send: impl FnMut(Header, &[u8])) -> Option<FakeReply> {
        self.stream.send_due(number, send);
        self.reply.take_if(|_| self.stream.is_drained())
    }
}
