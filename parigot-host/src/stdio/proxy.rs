//! Creation of the built-in guest.

use std::sync::Arc;

use super::service::StdioService;
use super::streams::Results;
use super::{NAME, SERVICE};
use crate::guest::builtin::BuiltInFactory;
use crate::settings::Settings;
use crate::start::declare::{DeclaredGuest, Proxy};

/// Returns true if a guest requires the service.
pub(crate) fn is_required(guests: &[DeclaredGuest<'_>]) -> bool {
    guests
        .iter()
        .flat_map(|guest| &guest.manifest().requires)
        .any(|required| required.service.name == SERVICE)
}

/// Creates the built-in guest. No stream is opened before its launch.
pub(crate) fn create(settings: &Settings) -> Proxy {
    let results = Arc::new(Results::default());
    let waker = results.waker();
    let stdin = settings.stdin.clone();
    let stdout = settings.stdout.clone();
    let factory = BuiltInFactory(move || {
        StdioService::new(stdin.clone(), stdout.clone(), Arc::clone(&results))
    });
    Proxy::new(NAME.to_owned(), factory, waker)
}
