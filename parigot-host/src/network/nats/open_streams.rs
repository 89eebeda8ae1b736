//! Heartbeat of the open streams between two processes.

use hashbrown::HashMap;
use parigot_abi::id::HostId;

use super::context::NatsContext;
use super::envelope::{OpenStream, OpenStreams, PeerMessage};

/// Most streams in one message. An entry has at most 34 bytes.
const STREAMS_MAX: usize = 1 << 10;

/// Sends the heartbeat of streams to the processes at their other sides, in several messages to one
/// process if necessary. `subject` returns the subject of a process.
pub(super) fn send_open_streams(
    context: &NatsContext,
    subject: impl Fn(HostId) -> String,
    streams: impl Iterator<Item = (HostId, OpenStream)>,
) {
    let mut by_peer: HashMap<u128, (HostId, Vec<OpenStream>)> = HashMap::new();
    for (peer, stream) in streams {
        let (_, open) = by_peer.entry(peer.key()).or_insert((peer, Vec::new()));
        open.push(stream);
    }
    let streams_max = (context.chunk_bytes_max() / 64).clamp(1, STREAMS_MAX);
    for (peer, open) in by_peer.into_values() {
        for part in open.chunks(streams_max) {
            let streams = part.to_vec();
            context.send(
                subject(peer),
                PeerMessage::OpenStreams(OpenStreams { streams }),
            );
        }
    }
}
