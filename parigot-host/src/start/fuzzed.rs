//! Fuzz target: manifests, and the comparison of their schemas.

use parigot_abi::Manifest;
use parigot_abi::manifest::Service;

use crate::descriptors::{pool, section};
use crate::kernel::init_turn::check_names;
use crate::start::schema::{ServiceDescription, fits};

/// Reads two manifests, and compares each requirement of the one with the exports of the other, by
/// the descriptors in `data`. The first two bytes are the length of the first manifest.
pub fn manifests(data: &[u8]) {
    section::descriptors(data);
    let Some((length, rest)) = data.split_first_chunk() else {
        return;
    };
    let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let (client, exporter) = rest.split_at(length);
    let (Ok(client), Ok(exporter)) = (Manifest::read(client), Manifest::read(exporter)) else {
        return;
    };
    if check_names(&client).is_err() || check_names(&exporter).is_err() {
        return;
    }
    for required in &client.requires {
        for export in &exporter.exports {
            compare(
                described("client", &required.service, &client),
                described("exporter", export, &exporter),
            );
        }
    }
}

fn described<'a>(
    guest: &'a str,
    service: &'a Service,
    manifest: &'a Manifest,
) -> ServiceDescription<'a> {
    ServiceDescription {
        guest,
        service,
        descriptors: &manifest.descriptors,
    }
}

/// Compares two services, whole and after the removal of the other descriptors.
fn compare(client: ServiceDescription<'_>, exporter: ServiceDescription<'_>) {
    let fitting = fits(client, exporter);
    let text = fitting.map_or_else(|error| error.to_string(), |_| String::new());
    // One line for each difference.
    let is_plain = |c: char| c == '\n' || !c.is_control();
    assert!(text.chars().all(is_plain), "{text:?}");
    let own = pool::of_service(client.descriptors, &client.service.name);
    let reduced = ServiceDescription {
        descriptors: &own,
        ..client
    };
    let _ = fits(reduced, exporter);
}
