//! Stands here for whoever calls a service of this process from another one: their calls come over the carrier, and go on under the ids that they have.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use parigot_abi::id::CallId;
use parigot_abi::manifest::Service;
use parigot_abi::{Frame, Header, Kind, Manifest};

use super::stand_in::{Outbox, StandIn};
use super::{Carrier, Offer, Post, Reply, Request, ReturnAddress, Visit};
use crate::error::Failure;

/// Requires a service of this process, by its name alone, and so with all methods of all who export it.
pub(super) struct Gateway {
    service: Service,
    carrier: Arc<dyn Carrier>,
    post: Arc<Post<Visit>>,
    /// The places of the methods, by their names.
    methods: HashMap<String, u32>,
    /// Calls that others wait for, by the numbers that they have here, and these by their ids.
    calls: HashMap<u64, Visitor>,
    numbers: HashMap<u128, u64>,
    last_number: u64,
    known: Known,
    gate: Gate,
    is_stopping: bool,
}

/// Whether calls of others come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// Not before the service is ready, and not after the last has come.
    Closed,
    Open,
    /// It was told to leave, and what others have sent before they knew comes yet.
    Draining,
}

/// A call of another process.
struct Visitor {
    id: CallId,
    from: ReturnAddress,
}

impl Gateway {
    /// A gateway to a service as its first exporter has declared it.
    pub(super) fn new(service: Service, carrier: Arc<dyn Carrier>, post: Arc<Post<Visit>>) -> Self {
        Gateway {
            service,
            carrier,
            post,
            methods: HashMap::new(),
            calls: HashMap::new(),
            numbers: HashMap::new(),
            last_number: 0,
            known: Known::default(),
            gate: Gate::Closed,
            is_stopping: false,
        }
    }

    /// The service is ready. The methods are named in the order in which calls name them.
    fn open(&mut self, launched: &Frame<'_>, outbox: &mut Outbox) {
        let methods = launched.metadata_pairs().map(|pair| pair.expect("the host writes frames").1.to_owned());
        let methods: Vec<String> = methods.collect();
        self.methods = methods.iter().cloned().zip(0..).collect();
        let Service { name, schema, descriptors, .. } = &self.service;
        let (service, descriptors) = (name.clone(), descriptors.clone());
        let offer = Offer { service, schema: *schema, descriptors, methods };
        self.carrier.serve(offer, Arc::clone(&self.post));
        self.gate = Gate::Open;
        outbox.ready();
    }

    fn call(&mut self, request: Request, from: ReturnAddress, now_ns: u64, outbox: &mut Outbox) {
        let Request { id, method, deadline_ns, metadata, payload } = request;
        let until_ns = deadline_ns.saturating_add(self.carrier.repeats_for().as_nanos() as u64);
        if !self.known.is_first(id, until_ns, now_ns) {
            return;
        }
        let Some(method) = self.methods.get(&method) else {
            let failure = Failure::unimplemented(&self.service.name);
            return self.carrier.answer(from, Reply::from(&failure));
        };
        self.last_number += 1;
        let number = self.last_number;
        let header = Header { number, method: *method, deadline_ns, id: id.to_wire(), ..Header::new(Kind::Call) };
        outbox.call(header, &metadata, &payload);
        self.calls.insert(number, Visitor { id, from });
        self.numbers.insert(id.key(), number);
    }

    fn cancel(&mut self, id: CallId, now_ns: u64, outbox: &mut Outbox) {
        match self.numbers.remove(&id.key()) {
            Some(number) => {
                self.calls.remove(&number);
                outbox.frame(Header { number, ..Header::new(Kind::Cancel) }, &[]);
            }
            // It has ended, or another process has it, or it comes yet: then it need not run.
            None => {
                let until_ns = now_ns.saturating_add(self.carrier.repeats_for().as_nanos() as u64);
                self.known.is_first(id, until_ns, now_ns);
            }
        }
    }

    /// A call has ended here.
    fn answer(&mut self, frame: &Frame<'_>) {
        let Some(Visitor { id, from }) = self.calls.remove(&frame.header.number) else { return };
        self.numbers.remove(&id.key());
        let reply = Reply {
            status: frame.header.status,
            flags: frame.header.flags,
            metadata: Bytes::copy_from_slice(frame.metadata),
            detail: Bytes::copy_from_slice(frame.detail),
            payload: Bytes::copy_from_slice(frame.payload),
        };
        self.carrier.answer(from, reply);
    }

    fn stop(&mut self) {
        self.is_stopping = true;
        if self.gate == Gate::Open {
            self.gate = Gate::Draining;
            self.carrier.withdraw(&self.service.name);
        }
    }
}

impl StandIn for Gateway {
    fn manifest(&self) -> Manifest {
        let by_name =
            Service { name: self.service.name.clone(), schema: 0, methods: Vec::new(), descriptors: Vec::new() };
        Manifest { exports: Vec::new(), requires: vec![by_name] }
    }

    fn take(&mut self, frame: &Frame<'_>, outbox: &mut Outbox) {
        match frame.kind() {
            Some(Kind::Launched) => self.open(frame, outbox),
            Some(Kind::Reply) => self.answer(frame),
            Some(Kind::Stop) => self.stop(),
            _ => {}
        }
    }

    fn take_post(&mut self, now_ns: u64, outbox: &mut Outbox) {
        for visit in self.post.take() {
            match visit {
                Visit::Call { request, from } => self.call(request, from, now_ns, outbox),
                Visit::Cancel { id } => self.cancel(id, now_ns, outbox),
                Visit::Drained => self.gate = Gate::Closed,
            }
        }
    }

    /// What was taken before it was told to leave is served to its end.
    fn is_done(&self) -> bool {
        self.is_stopping && self.gate == Gate::Closed && self.calls.is_empty()
    }
}

/// The calls that have come, so that none of them runs twice.
#[derive(Default)]
struct Known {
    ids: HashSet<u128>,
    /// In the order in which they came, with the moment from which on they cannot come again.
    until: VecDeque<(u64, u128)>,
}

/// So many calls are remembered, whatever their deadlines: what comes twice does so at once, or when a connection is there again.
const REMEMBERED_MAX: usize = 1 << 18;

impl Known {
    /// Whether a call comes for the first time. It is remembered until then.
    fn is_first(&mut self, id: CallId, until_ns: u64, now_ns: u64) -> bool {
        let is_over = |(until_ns, _): &(u64, u128)| *until_ns <= now_ns;
        while self.until.front().is_some_and(is_over) || self.until.len() > REMEMBERED_MAX {
            self.until.pop_front().inspect(|(_, id)| _ = self.ids.remove(id));
        }
        let is_first = self.ids.insert(id.key());
        if is_first {
            self.until.push_back((until_ns, id.key()));
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_remembered_until_it_cannot_come_again() {
        let mut known = Known::default();
        let id = CallId::from_random(1);
        assert!(known.is_first(id, 10, 0));
        assert!(!known.is_first(id, 10, 9));
        assert!(known.is_first(CallId::from_random(2), 30, 10));
        assert_eq!((known.ids.len(), known.until.len()), (1, 1));
    }

    #[test]
    fn no_more_calls_are_remembered_than_there_is_room_for() {
        let mut known = Known::default();
        for call in 1..REMEMBERED_MAX as u128 + 10 {
            assert!(known.is_first(CallId::from_random(call), u64::MAX, 0));
        }
        assert_eq!(known.ids.len(), known.until.len());
        assert!(known.ids.len() <= REMEMBERED_MAX + 1);
        assert!(known.is_first(CallId::from_random(1), u64::MAX, 0), "forgotten");
        assert!(!known.is_first(CallId::from_random(100), u64::MAX, 0));
    }
}
