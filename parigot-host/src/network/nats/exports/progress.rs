//! Processes whose workers make no progress: calls go to other processes meanwhile.
//!
//! The connection task wakes each gateway with every heartbeat. A worker that runs the gateway
//! takes its events. A gateway that takes none for [`STALL_MAX`] therefore means that all workers
//! are held: by long turns, or because the log or the system blocks them.

use std::time::Duration;

use super::{ExportState, Exports};
use crate::error::Failure;
use crate::network::nats::context::NatsContext;
use crate::network::nats::peer_registry::SILENCE_MAX;

/// Time after which a process that runs no gateway withdraws its offers: as long as a process may
/// be silent.
const STALL_MAX: Duration = SILENCE_MAX;

impl Exports {
    /// Withdraws the offers of services whose gateway does not run, and refuses the calls that the
    /// gateway has not taken. Returns the withdrawn services whose gateway runs again.
    pub(in crate::network::nats) fn check_progress(
        &mut self,
        context: &NatsContext,
    ) -> Vec<String> {
        let mut refused = Vec::new();
        let mut running = Vec::new();
        for (service, export) in &mut self.services {
            let is_stalled = export.queue.probe() >= STALL_MAX;
            match export.state {
                ExportState::Open(_) if is_stalled => {
                    context.log.warn(&format!(
                        "no worker was free for {STALL_MAX:?}: calls of other processes to \
                         {service} are refused until one is"
                    ));
                    export.leave(ExportState::Stalled);
                    export.announce(context);
                }
                ExportState::Stalled if !is_stalled => running.push(service.clone()),
                _ => {}
            }
            if is_stalled {
                refused.extend(export.queue.take_calls());
            }
        }
        let failure = Failure::no_progress(&context.me.process, STALL_MAX);
        for call in refused {
            self.refuse(context, call, &failure);
        }
        running
    }
}
