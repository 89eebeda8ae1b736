//! Fuzz targets. Each takes any bytes, and panics if the code under test has a mistake.

use std::path::{Component, Path};

use parigot_abi::control::{CONTROL_BYTES, ControlView};
use parigot_host::deployment::{Deployment, DeploymentError};
use parigot_host::fuzzing;
use protoc_gen_parigot::{Request, generate};

#[path = "../../parigot-abi/tests/abi/readers.rs"]
mod readers;

/// Frames of a guest: the readers of the ABI, and the kernel.
pub(crate) fn frames(data: &[u8]) {
    readers::read_all(data);
    fuzzing::frames(data);
}

/// The control block of a guest, and the outbox to which it refers.
pub(crate) fn control_block(data: &[u8]) {
    if let Some(block) = data.first_chunk::<CONTROL_BYTES>() {
        let view = ControlView::read(block);
        view.running_call();
        view.has_begun(view.progress_call);
    }
    fuzzing::control_block(data);
}

/// Imports of a Go guest.
pub(crate) fn wasi(data: &[u8]) {
    fuzzing::wasi(data);
}

/// Messages of other processes, and errors of the NATS server.
pub(crate) fn nats_message(data: &[u8]) {
    fuzzing::nats_message(data);
}

/// Deployment files.
pub(crate) fn deployment_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Deployment::parse(text, Path::new("fuzz.toml")) {
        Ok(deployment) => {
            for process in &deployment.processes {
                let part = deployment.of_process(process.name());
                assert!(part.is_ok_and(|part| part.guests.len() <= deployment.guests.len()));
            }
            assert!(deployment.of_process("no/process").is_err());
        }
        Err(DeploymentError::Refused { errors, .. }) => {
            assert!(!errors.is_empty(), "a refusal must have a reason");
            for error in errors {
                assert!(!error.to_string().contains('\n'), "{error}");
            }
        }
        Err(error) => _ = error.to_string(),
    }
}

/// Manifests of a client and an exporter, with their descriptors.
pub(crate) fn manifests(data: &[u8]) {
    fuzzing::manifests(data);
}

/// Requests of protoc.
pub(crate) fn plugin_request(data: &[u8]) {
    let Ok(request) = Request::decode(data) else {
        return;
    };
    match generate(&request) {
        Ok(files) => {
            for file in files {
                let mut parts = Path::new(&file.name).components();
                let is_inside = parts.all(|part| matches!(part, Component::Normal(_)));
                assert!(is_inside, "{:?} is not in the output folder", file.name);
            }
        }
        Err(errors) => assert!(!errors.is_empty(), "a refusal must have a reason"),
    }
}

/// Entries of the code cache.
pub(crate) fn cache_entry(data: &[u8]) {
    fuzzing::cache_entry(data);
}

/// Name of a target, and its function, which panics if an input breaks a reader.
type Target = (&'static str, fn(&[u8]));

/// All targets.
pub(crate) const TARGETS: [Target; 8] = [
    ("cache_entry", cache_entry),
    ("control_block", control_block),
    ("deployment_file", deployment_file),
    ("frames", frames),
    ("manifests", manifests),
    ("nats_message", nats_message),
    ("plugin_request", plugin_request),
    ("wasi", wasi),
];
