//! Providers of a deployment as `parigot check` shows them.

use std::fmt::Write as _;

use parigot_host::deployment::{Access, Deployment, Grant, GuestSpec, ProviderSpec};
use serde_json::{Value, json};

/// Returns the providers with the guests that may use them, a line each; empty without one.
pub(crate) fn summary(deployment: &Deployment) -> String {
    let mut text = String::new();
    for provider in &deployment.providers {
        let guests: Vec<_> = grants(deployment, provider).map(title).collect();
        let ProviderSpec { name, kind, .. } = provider;
        writeln!(text, "      {name} ({kind}) for {}", guests.join(", "))
            .expect("a String takes any text");
    }
    if !text.is_empty() {
        text.insert_str(0, "with these providers:\n");
    }
    text
}

/// Returns an object for each provider.
pub(crate) fn objects(deployment: &Deployment) -> Vec<Value> {
    let object = |provider: &ProviderSpec| {
        let grants: Vec<_> = grants(deployment, provider).map(grant_object).collect();
        json!({ "name": provider.name, "kind": provider.kind, "grants": grants })
    };
    deployment.providers.iter().map(object).collect()
}

/// Returns the grants of a provider with their guests.
fn grants<'d>(
    deployment: &'d Deployment,
    provider: &'d ProviderSpec,
) -> impl Iterator<Item = (&'d GuestSpec, &'d Grant)> {
    deployment.guests.iter().filter_map(|guest| {
        let mut grants = guest.providers.iter();
        let grant = grants.find(|grant| grant.provider == provider.name)?;
        Some((guest, grant))
    })
}

/// Returns a grant as `links`, `links as cache` or `links as cache (read)`.
fn title((guest, grant): (&GuestSpec, &Grant)) -> String {
    let binding = match &*grant.binding {
        "" => String::new(),
        binding => format!(" as {binding}"),
    };
    let access = match grant.access {
        Access::Full => "",
        Access::Read => " (read)",
    };
    format!("{}{binding}{access}", guest.name)
}

fn grant_object((guest, grant): (&GuestSpec, &Grant)) -> Value {
    let access = match grant.access {
        Access::Full => "full",
        Access::Read => "read",
    };
    let mut object = json!({ "guest": guest.name, "access": access });
    if !grant.binding.is_empty() {
        object["binding"] = (*grant.binding).into();
    }
    object
}
