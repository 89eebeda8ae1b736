//! Comparison of the importer's schema with the schema of a peer.

use parigot_abi::manifest::Service;

use crate::network::nats::envelope::{PeerId, SchemaReply};
use crate::network::transport::ImportSpec;
use crate::start::schema::{self, ServiceDescription};

/// Longest reason of an incompatibility in bytes. A peer controls its schema and so the text.
const REASON_BYTES_MAX: usize = 1 << 10;

/// Checks if the local guests can call the service of a peer.
///
/// # Errors
///
/// With the reason, in one line.
pub(super) fn compare(
    me: &PeerId,
    required: &ImportSpec,
    peer: &PeerId,
    offered: SchemaReply,
) -> Result<(), String> {
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
    schema::fits(client, exporter).map_err(|error| {
        let mut reason = error.to_string().replace('\n', "; ");
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        format!(
            "incompatible schema of {service}: process {here} was built against a different \
             version than process {there} offers: {reason}",
            here = me.process,
            there = peer.process,
        )
    })
}
