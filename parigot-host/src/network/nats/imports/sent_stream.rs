//! Stream of a sent call, before and after its callee is known.

use parigot_abi::id::{CallId, HostId};
use parigot_abi::manifest::MethodFlags;

use crate::network::message::StreamMessage;
use crate::network::nats::context::NatsContext;
use crate::network::nats::envelope::PeerId;
use crate::network::nats::send_budget::Permit;
use crate::network::nats::stream::{NatsStream, Part};
use crate::network::nats::unexpected::Unexpected;

/// Stream of a sent call.
pub(super) struct SentStream {
    pub(super) stream: NatsStream,
    /// Process that has accepted the call. NATS chose the process, whose first message names it.
    pub(super) callee: Option<HostId>,
    /// Messages for the callee until it is known. Their number is limited by the first credit.
    pub(super) waiting: Vec<(StreamMessage, Permit)>,
}

impl SentStream {
    /// Creates the stream of a call, if the call streams.
    pub(super) fn new(streams: MethodFlags, now_ns: u64) -> Option<Box<Self>> {
        let stream = || {
            Box::new(SentStream {
                stream: NatsStream::new(Part::Callee, streams, now_ns),
                callee: None,
                waiting: Vec::new(),
            })
        };
        (!streams.is_unary()).then(stream)
    }

    /// Returns true if a message of `peer` may belong to the stream.
    pub(super) fn is_from(&self, peer: &PeerId) -> bool {
        self.callee
            .is_some_and(|callee| callee.key() == peer.host.key())
    }

    /// Notes the callee, and sends the messages that wait.
    pub(super) fn accepted(
        &mut self,
        context: &NatsContext,
        peer: &PeerId,
        call: CallId,
    ) -> Result<(), Unexpected> {
        if self.callee.is_some() {
            return Err(Unexpected);
        }
        self.callee = Some(peer.host);
        self.stream.reset_silence(context.now_ns());
        let subject = context.subjects.chunk(peer.host, call);
        for (message, _permit) in std::mem::take(&mut self.waiting) {
            self.stream.send(context, &subject, message);
        }
        Ok(())
    }
}
