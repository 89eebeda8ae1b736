//! Log of the transport, with a limit for the lines that other processes cause.

use parking_lot::Mutex;
use tracing::{Dispatch, Level};

/// Limit for the lines about other processes within [`WINDOW`] heartbeats. Any client of the server
/// can announce processes, and so cause lines.
pub(super) const PEER_LINES_MAX: u32 = 64;
/// Heartbeats, which are seconds.
const WINDOW: u32 = 10;

/// The subscriber of the thread that created the transport. The NATS client logs on the network
/// thread, and its lines are discarded.
pub(super) struct Log {
    dispatch: Dispatch,
    peer_lines: Mutex<PeerLines>,
}

#[derive(Default)]
struct PeerLines {
    heartbeats: u32,
    written: u32,
    omitted: u64,
}

impl Log {
    pub(super) fn new(dispatch: Dispatch) -> Self {
        Log {
            dispatch,
            peer_lines: Mutex::default(),
        }
    }

    pub(super) fn info(&self, text: &str) {
        tracing::dispatcher::with_default(&self.dispatch, || {
            tracing::info!(service = "network", "{text}")
        });
    }

    pub(super) fn warn(&self, text: &str) {
        tracing::dispatcher::with_default(&self.dispatch, || {
            tracing::warn!(service = "network", "{text}")
        });
    }

    pub(super) fn error(&self, text: &str) {
        tracing::dispatcher::with_default(&self.dispatch, || {
            tracing::error!(service = "network", "{text}")
        });
    }

    /// Writes a line about another process, or counts the line beyond the limit.
    pub(super) fn about_peer(&self, level: Level, text: &str) {
        let mut lines = self.peer_lines.lock();
        if lines.written >= PEER_LINES_MAX {
            lines.omitted += 1;
            return;
        }
        lines.written += 1;
        drop(lines);
        match level {
            Level::ERROR => self.error(text),
            Level::WARN => self.warn(text),
            _ => self.info(text),
        }
    }

    /// Counts a heartbeat, and reports the omitted lines at the end of a window.
    pub(super) fn heartbeat(&self) {
        let mut lines = self.peer_lines.lock();
        lines.heartbeats += 1;
        if lines.heartbeats < WINDOW {
            return;
        }
        let PeerLines { omitted, .. } = std::mem::take(&mut *lines);
        drop(lines);
        if omitted > 0 {
            self.warn(&format!(
                "left out {omitted} lines about other processes: at most {PEER_LINES_MAX} are \
                 written in {WINDOW} s"
            ));
        }
    }
}
