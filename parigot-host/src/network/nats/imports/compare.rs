//! Comparison of the importer's schema with the schema of a peer.

use parigot_abi::manifest::Service;

use crate::network::nats::envelope::{PeerId, SchemaReply};
use crate::network::transport::ImportSpec;
use crate::start::schema::{self, ServiceDescription};

/// Longest reason of an incompatibility in bytes. A peer controls its schema and so the text.
const REASON_BYTES_MAX: usize = 1 << 10;

/// Checks if the local guests can call the service of a peer. Returns a warning, in one line, if
/// the peer lacks methods of the local guests.
///
/// # Errors
///
/// With the reason, in one line.
pub(super) fn compare(
    me: &PeerId,
    required: &ImportSpec,
    peer: &PeerId,
    offered: SchemaReply,
) -> Result<Option<String>, String> {
    let service = &required.service;
    let required_service = Service {
        name: service.clone(),
        schema: required.schema,
        methods: Vec::new(),
    };
    let offered_service = Service {
        name: service.clone(),
        schema: offered.schema,
        methods: Vec::new(),
    };
    let client = ServiceDescription {
        guest: &me.process,
        service: &required_service,
        descriptors: &required.descriptors,
    };
    let exporter = ServiceDescription {
        guest: &peer.process,
        service: &offered_service,
        descriptors: &offered.descriptors,
    };
    let here = &me.process;
    let there = &peer.process;
    match schema::fits(client, exporter) {
        Ok(missing) if missing.is_empty() => Ok(None),
        Ok(missing) => {
            let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
            Ok(Some(format!(
                "process {there} lacks methods of {service} that process {here} was built with, \
                 and calls of these methods fail: {}",
                short(missing.join("; "))
            )))
        }
        Err(error) => Err(format!(
            "incompatible schema of {service}: process {here} was built against a different \
             version than process {there} offers: {}",
            short(error.to_string().replace('\n', "; "))
        )),
    }
}

/// Cuts off the end of a reason that is too long.
fn short(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    reason
}
