//! Warnings about other processes that do not fit to this process: processes of another deployment
//! with the same `app`, and clocks that differ too much.
//!
//! Each warning is written once for each process. Nothing else depends on these checks: the values
//! come from the sender.

use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use sha2::{Digest, Sha256};
use tracing::Level;

use super::context::NatsContext;
use super::envelope::{PeerId, PeerMessage};

/// Limit for the remembered warnings.
const WARNINGS_MAX: usize = 1 << 10;
/// Time that a message may take from clock to clock.
const TRANSIT_MAX: Duration = Duration::from_secs(1);
/// Late messages in a row after which the clock of their sender counts as behind: a busy machine
/// delays some messages, and a wrong clock all of them.
const LATE_MESSAGES: u32 = 3;

/// Checks of the senders of messages.
#[derive(Default)]
pub(super) struct PeerChecks {
    /// Processes with a warning, and the kind of the warning.
    warned: HashSet<(String, Warning)>,
    /// Number of late messages in a row, by the process.
    late: HashMap<String, u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Warning {
    Deployment,
    ClockAhead,
    ClockBehind,
}

/// Returns the hash of the process names of a deployment; never 0, which stands for an unknown
/// deployment.
pub(super) fn deployment_hash(processes: &[String]) -> u64 {
    let mut hasher = Sha256::new();
    for process in processes {
        // The names of processes contain no line breaks.
        hasher.update(process);
        hasher.update("\n");
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize()[..8]);
    u64::from_le_bytes(first).max(1)
}

impl PeerChecks {
    /// Checks the sender of a message.
    pub(super) fn check(&mut self, context: &NatsContext, peer: &PeerId, message: &PeerMessage) {
        match message {
            PeerMessage::Announcement(announcement) => {
                self.check_deployment(context, peer, announcement.deployment);
                self.check_clock(context, peer, announcement.sent_ns);
            }
            PeerMessage::Discovery(discovery) => {
                self.check_deployment(context, peer, discovery.deployment)
            }
            PeerMessage::Request(request) => self.check_clock(context, peer, request.sent_ns),
            _ => {}
        }
    }

    fn check_deployment(&mut self, context: &NatsContext, peer: &PeerId, deployment: u64) {
        if deployment == 0 || deployment == context.deployment {
            return;
        }
        let process = &peer.process;
        let app = context.subjects.app();
        let text = format!(
            "process {process} belongs to a deployment with other processes and has the same app \
             `{app}`: give each deployment its own `app` in `[network]`, and run all processes \
             with the same file"
        );
        self.warn(context, peer, Warning::Deployment, &text);
    }

    /// Compares the clocks. A message that seems to come from the past may also have been delayed,
    /// which costs a call the same time.
    fn check_clock(&mut self, context: &NatsContext, peer: &PeerId, sent_ns: u64) {
        if sent_ns == 0 {
            return;
        }
        let now_ns = context.clock.wall_ns();
        let skew = context.clock_skew;
        let skew_ns = skew.as_nanos() as u64;
        let late_ns = sent_ns.saturating_add((skew + TRANSIT_MAX).as_nanos() as u64);
        let process = &peer.process;
        let ahead_ms = sent_ns.saturating_sub(now_ns) / 1_000_000;
        let behind_ms = now_ns.saturating_sub(sent_ns) / 1_000_000;
        if sent_ns > now_ns.saturating_add(skew_ns) {
            let text = format!(
                "the clock of process {process} is {ahead_ms} ms ahead, expected at most \
                 {skew:?}: calls may run after their deadline; correct the clocks, or raise \
                 `clock_skew` in `[network]`"
            );
            self.warn(context, peer, Warning::ClockAhead, &text);
        } else if now_ns <= late_ns {
            self.late.remove(process);
        } else if self.count_late(process) == LATE_MESSAGES {
            let text = format!(
                "the clock of process {process} is {behind_ms} ms behind, or its messages take \
                 that long, expected at most {skew:?}: calls lose that time; correct the clocks, \
                 or raise `clock_skew` in `[network]`"
            );
            self.warn(context, peer, Warning::ClockBehind, &text);
        }
    }

    fn count_late(&mut self, process: &str) -> u32 {
        if self.late.len() >= WARNINGS_MAX {
            self.late.clear();
        }
        let late = self.late.entry_ref(process).or_insert(0);
        *late = late.saturating_add(1);
        *late
    }

    fn warn(&mut self, context: &NatsContext, peer: &PeerId, warning: Warning, text: &str) {
        if self.warned.len() < WARNINGS_MAX && self.warned.insert((peer.process.clone(), warning)) {
            context.log.about_peer(Level::WARN, text);
        }
    }
}
