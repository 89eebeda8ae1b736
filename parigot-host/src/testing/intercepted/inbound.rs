//! Frames from the host to the guest.

use parigot_abi::{
    Cause, Code as StatusCode, Detail, Frame, FrameBuilder, Frames, Header, Kind, manifest,
};

use super::super::fault::Leg;
use super::super::frame::{Effect, HOST};
use super::Intercepted;
use super::held::{Decision, Held, InTransit};
use crate::error::GuestFault;

impl Intercepted {
    /// Receives the frames of a turn. Frames that reach the guest go into `inbox`.
    pub(super) fn receive(
        &mut self,
        frames: &[u8],
        now_ns: u64,
        inbox: &mut Vec<u8>,
    ) -> Result<(), GuestFault> {
        let mut rest = Frames::new(frames);
        loop {
            let start = rest.offset();
            let Some(frame) = rest.next() else {
                return Ok(());
            };
            let transit = InTransit {
                frame: frame.expect("the host must write well-formed frames"),
                bytes: &frames[start..rest.offset()],
                now_ns,
            };
            if self.receive_frame(&transit)? == Decision::Forward {
                inbox.extend_from_slice(transit.bytes);
            }
        }
    }

    fn receive_frame(&mut self, transit: &InTransit<'_>) -> Result<Decision, GuestFault> {
        let frame = &transit.frame;
        match frame.kind() {
            Some(Kind::Call | Kind::Cancel) if self.is_test => {}
            Some(Kind::Call) => return self.receive_call(transit),
            Some(Kind::Cancel) => return Ok(self.receive_cancel(frame)),
            Some(Kind::Reply) => {
                if let Some(call) = self.outbound.get(&frame.header.number) {
                    self.interceptor.lock().record.end(*call, frame);
                }
            }
            // Recorded when they were sent.
            Some(Kind::Open | Kind::Item | Kind::Credit | Kind::End) => {}
            Some(kind) => {
                if kind == Kind::Launched {
                    self.record_methods(frame);
                }
                self.interceptor
                    .lock()
                    .record
                    .note(HOST, &self.name, kind, frame);
            }
            None => {}
        }
        Ok(Decision::Forward)
    }

    /// Adds the methods of services that the guest requires by name alone.
    ///
    /// The guest's manifest lacks these methods. The host sends them in the launched frame.
    fn record_methods(&mut self, launched: &Frame<'_>) {
        for (index, method) in launched.metadata_pairs().flatten() {
            let (name, flags) = manifest::MethodFlags::split_name(method);
            let method = manifest::Method {
                name: name.into(),
                budget_ns: 0,
                deadline_ns: 0,
                flags,
            };
            // The key is the index of the requirement.
            let required = index.parse::<usize>().ok();
            if let Some(required) = required.and_then(|at| self.manifest.requires.get_mut(at)) {
                required.service.methods.push(method);
            }
        }
    }

    fn receive_call(&mut self, transit: &InTransit<'_>) -> Result<Decision, GuestFault> {
        let mut interceptor = self.interceptor.lock();
        let Some((call, frame)) = interceptor.record.arrive(&transit.frame) else {
            return Ok(Decision::Forward);
        };
        let effect = interceptor.effect_on(Leg::Call, call);
        drop(interceptor);
        self.inbound.insert(transit.frame.header.number, call);
        self.apply(effect, Leg::Call, transit, frame)
    }

    /// Receives the cancellation of a call.
    ///
    /// If a frame of the call is held, the guest has not seen the call or has answered already.
    /// Then the interceptor answers the host in place of the guest.
    fn receive_cancel(&mut self, frame: &Frame<'_>) -> Decision {
        let number = frame.header.number;
        let mut interceptor = self.interceptor.lock();
        if let Some(call) = self.inbound.get(&number) {
            interceptor.record.cancel_at_callee(*call, frame);
        }
        match self.held.remove(&number) {
            None => return Decision::Forward,
            Some(Held::Lost) => {}
            // The delayed frame is never released, so the record shows it as lost.
            Some(Held::Delayed(delayed)) => {
                interceptor.record.note_effect(delayed.frame, Effect::Lost);
            }
        }
        self.inbound.remove(&number);
        let header = Header {
            number,
            status: StatusCode::Cancelled.number(),
            ..Header::new(Kind::Reply)
        };
        FrameBuilder::new(&mut self.outbox, header)
            .detail(&Detail::new(Cause::Cancelled, ""))
            .finish()
            .expect("a reply without a payload must be below the size limit");
        Decision::Hold
    }
}
