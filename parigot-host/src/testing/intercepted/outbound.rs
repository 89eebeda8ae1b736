//! Frames from the guest to the host.

use parigot_abi::frame::{LAUNCH_NUMBER, flags};
use parigot_abi::{Frames, Header, Kind, manifest};

use super::super::fault::Leg;
use super::super::frame::HOST;
use super::Intercepted;
use super::held::{Decision, InTransit};
use crate::error::GuestFault;

impl Intercepted {
    /// Processes the frames that the guest sent. Frames that reach the host go into the outbox.
    pub(super) fn send(&mut self, now_ns: u64) -> Result<(), GuestFault> {
        let sent = self.inner.outbox().to_vec();
        let mut rest = Frames::new(&sent);
        loop {
            let start = rest.offset();
            let Some(frame) = rest.next() else {
                return Ok(());
            };
            let Ok(frame) = frame else {
                // The host must see the malformed bytes: it kills the guest for them.
                self.outbox.extend_from_slice(&sent[start..]);
                return Ok(());
            };
            let transit = InTransit {
                frame,
                bytes: &sent[start..rest.offset()],
                now_ns,
            };
            if self.send_frame(&transit)? == Decision::Forward {
                self.outbox.extend_from_slice(transit.bytes);
            }
        }
    }

    fn send_frame(&mut self, transit: &InTransit<'_>) -> Result<Decision, GuestFault> {
        let frame = &transit.frame;
        let Header {
            number,
            service,
            method,
            ..
        } = frame.header;
        let mut interceptor = self.interceptor.lock();
        match frame.kind() {
            Some(Kind::Reply) if number != LAUNCH_NUMBER => {
                drop(interceptor);
                return self.send_reply(transit);
            }
            Some(Kind::Call) => {
                let names = names(&self.manifest.requires, service, method);
                let call = interceptor.record.begin(&self.name, names, frame);
                self.outbound.insert(number, call);
            }
            Some(Kind::Cancel) => {
                if let Some(call) = self.outbound.get(&number) {
                    interceptor.record.cancel(*call, frame);
                }
            }
            Some(kind @ (Kind::Open | Kind::Item | Kind::Credit | Kind::End)) => {
                let is_to_callee = frame.header.flags & flags::TO_CALLEE != 0;
                let calls = if is_to_callee {
                    &self.outbound
                } else {
                    &self.inbound
                };
                // Else the frame is a lie, or its call has ended.
                match calls.get(&number) {
                    Some(call) => interceptor.record.pass(*call, is_to_callee, kind, frame),
                    None => interceptor.record.note(&self.name, HOST, kind, frame),
                }
            }
            Some(kind) => interceptor.record.note(&self.name, HOST, kind, frame),
            None => {}
        }
        Ok(Decision::Forward)
    }

    fn send_reply(&mut self, transit: &InTransit<'_>) -> Result<Decision, GuestFault> {
        let number = transit.frame.header.number;
        let Some(call) = self.inbound.get(&number).copied() else {
            return Ok(Decision::Forward);
        };
        let mut interceptor = self.interceptor.lock();
        let frame = interceptor.record.answer(call, &transit.frame);
        // The reply to a cancelled call reaches no caller, so faults must not count it.
        let effect = if interceptor.record.call(call).is_cancelled {
            None
        } else {
            interceptor.effect_on(Leg::Reply, call)
        };
        if effect.is_none() {
            interceptor.record.release(call);
            self.inbound.remove(&number);
        }
        drop(interceptor);
        self.apply(effect, Leg::Reply, transit, frame)
    }
}

/// Returns the names of a required service and its method, or `?` for an invalid index.
fn names(requires: &[manifest::Requirement], service: u32, method: u32) -> (&str, &str) {
    let service = requires
        .get(service as usize)
        .map(|required| &required.service);
    let method = service.and_then(|service| service.methods.get(method as usize));
    (
        service.map_or("?", |service| &service.name),
        method.map_or("?", |method| &method.name),
    )
}
