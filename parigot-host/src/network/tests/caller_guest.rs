//! Program that makes the calls of a test.

use std::collections::HashMap;
use std::sync::Arc;

use parigot_abi::control::NO_CALL;
use parigot_abi::frame::{NO_DEADLINE, flags};
use parigot_abi::id::CallId;
use parigot_abi::manifest::Service;
use parigot_abi::{Cause, Code as StatusCode, Detail, Frame, Kind, Manifest};

use super::watched::Watched;
use crate::error::GuestFault;
use crate::guest::builtin::{BuiltIn, BuiltInFactory, BuiltinOutbox};
use crate::guest::code::InstanceFactory;

/// End of a call, as its caller sees it.
#[derive(Clone, Debug)]
pub(super) struct CallEnd {
    pub(super) id: CallId,
    pub(super) status: u32,
    pub(super) is_service_error: bool,
    pub(super) cause: Cause,
    pub(super) instance: (u64, u64),
    pub(super) message: String,
    pub(super) payload: Vec<u8>,
}

impl CallEnd {
    fn of(frame: &Frame<'_>) -> Self {
        let (high, low) = frame.header.id;
        let Detail {
            cause,
            instance,
            message,
            ..
        } = Detail::read(frame.detail);
        CallEnd {
            id: CallId::from_wire(high, low).expect("a reply must have the id of its call"),
            status: frame.header.status,
            is_service_error: frame.header.flags & flags::SERVICE_ERROR != 0,
            cause,
            instance,
            message: message.into_owned(),
            payload: frame.payload.to_vec(),
        }
    }

    /// Returns code, cause and text of a call that failed with a status.
    pub(super) fn failure(&self) -> (StatusCode, Cause, &str) {
        let code = StatusCode::from_number(self.status).expect("the status must be a code");
        assert!(!self.is_service_error && code != StatusCode::Ok, "{self:?}");
        (code, self.cause, &self.message)
    }
}

/// Observations of a [`Caller`].
#[derive(Default)]
pub(super) struct Observed {
    /// Ends of the calls, by the calls' numbers.
    pub(super) ends: HashMap<u64, CallEnd>,
    /// Methods in the launched frame; `None` before the launch.
    pub(super) methods: Option<Vec<String>>,
}

impl Watched<Observed> {
    /// Waits for the launch, and returns the methods in the launched frame.
    pub(super) fn wait_for_launch(&self) -> Vec<String> {
        self.wait_for(|observed| observed.methods.clone())
    }
}

/// Creates the factory of a program that sends the calls and cancellations that it receives, and
/// that exits when it receives an exit frame.
pub(super) fn caller_factory(
    requires: Vec<Service>,
    observed: &Arc<Watched<Observed>>,
) -> impl InstanceFactory + use<> {
    let manifest = Manifest {
        exports: Vec::new(),
        requires: requires.into_iter().map(Into::into).collect(),
        descriptors: Vec::new(),
    };
    let observed = Arc::clone(observed);
    BuiltInFactory(move || Caller {
        manifest: manifest.clone(),
        observed: Arc::clone(&observed),
    })
}

struct Caller {
    manifest: Manifest,
    observed: Arc<Watched<Observed>>,
}

impl BuiltIn for Caller {
    fn manifest(&self) -> Manifest {
        self.manifest.clone()
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        _now_ns: u64,
        outbox: &mut BuiltinOutbox,
    ) -> Result<(), GuestFault> {
        match frame.kind() {
            Some(Kind::Launched) => {
                outbox.ready(NO_DEADLINE);
                let methods = frame
                    .metadata_pairs()
                    .map(|pair| pair.expect("metadata must be well-formed").1.to_owned());
                self.observed
                    .change(|observed| observed.methods = Some(methods.collect()));
            }
            Some(Kind::Call | Kind::Cancel | Kind::Exit) => outbox.pass_on(frame.bytes),
            Some(Kind::Reply) => {
                let number = frame.header.number;
                assert_ne!(number, NO_CALL);
                let before = self
                    .observed
                    .change(|observed| observed.ends.insert(number, CallEnd::of(frame)));
                assert!(before.is_none(), "call {number} has ended twice");
            }
            Some(Kind::Stop) => outbox.exit(),
            _ => {}
        }
        Ok(())
    }
}
