//! Tests of the tables `[provider.<name>]` and of grants.

use super::super::*;
use super::{check_errors, parse};

/// A file with a provider, whose grant is in the sixth line.
fn file(grants: &str) -> String {
    format!(
        "manifest_version = 1\n[provider.sessions]\nkind = 'kv'\n[service.links]\n\
         wasm = 'links.wasm'\nproviders = {grants}\n"
    )
}

fn grants(grants: &str) -> Vec<Grant> {
    let mut deployment = parse(&file(grants)).expect("the file must be accepted");
    deployment.guests.remove(0).providers
}

#[test]
fn a_provider_is_read_with_the_keys_of_its_kind() {
    let text = file("['sessions']").replace("kind", "path = 's.db'\nmax_size = '1MiB'\nkind");
    let deployment = parse(&text).expect("the file must be accepted");
    let [provider] = &deployment.providers[..] else {
        panic!("{:?}", deployment.providers)
    };
    assert_eq!((&*provider.name, &*provider.kind), ("sessions", "kv"));
    assert_eq!(&text[provider.span.clone()], "sessions");
    let path = provider.path("path").expect("the path is valid");
    assert_eq!(path.expect("there is a path").to_str(), Some("apps/s.db"));
    assert_eq!(provider.size("max_size"), Ok(Some(1 << 20)));
    assert_eq!(provider.size("min_size"), Ok(None));
    let unknown = provider
        .has_only(&["path"])
        .expect_err("one key is unknown");
    assert_eq!(unknown.to_string(), "unknown key `max_size`");
    let span = unknown.span().expect("the key has a position");
    assert_eq!(&text[span], "max_size");
}

#[test]
fn grants_are_read_in_every_form() {
    let grant = |provider: &str, binding: &str, access| (provider.into(), binding.into(), access);
    let read = |text: &str| -> Vec<(String, String, Access)> {
        let read = grants(text).into_iter();
        read.map(|grant| (grant.provider, grant.binding, grant.access))
            .collect()
    };
    assert_eq!(read("['sessions']"), [grant("sessions", "", Access::Full)]);
    let bound = read("{ cache = 'sessions' }");
    assert_eq!(bound, [grant("sessions", "cache", Access::Full)]);
    let narrowed = read("[{ name = 'sessions', access = 'read' }]");
    assert_eq!(narrowed, [grant("sessions", "", Access::Read)]);
    let bound = read("{ cache = { name = 'sessions', access = 'read' } }");
    assert_eq!(bound, [grant("sessions", "cache", Access::Read)]);
}

#[test]
fn wrong_grants_are_errors() {
    check_errors(
        &file("['sesions', 'sessions', 'sessions', { access = 'write' }]"),
        &[
            "6:14: there is no provider `sesions`; did you mean `sessions`?",
            "6:37: `sessions` is granted twice; remove one of the two",
            "6:49: the grant has no `name`; write { name = \"<provider>\", access = \"read\" }",
            "6:60: `access` is \"write\", which is not known; write \"read\" or \"full\"",
        ],
    );
    check_errors(
        &file("'sessions'"),
        &[
            "2:11: `sessions` is granted to no guest; write `providers = [\"sessions\"]` in the \
             table of a guest, or remove the provider",
            "6:13: `providers` is a string, expected an array of providers, or a table with a \
             provider for each binding; make it an array of providers, or a table with a provider \
             for each binding",
        ],
    );
}

#[test]
fn a_provider_needs_a_kind() {
    check_errors(
        &file("['sessions']").replace("kind = 'kv'", ""),
        &["2:11: `[provider.sessions]` has no `kind`; add the kind: `kind = \"kv\"`"],
    );
}

#[test]
fn the_guests_of_a_provider_share_a_process() {
    let text = file("['sessions']")
        + "[service.admin]\nwasm = 'admin.wasm'\nproviders = ['sessions']\n\
           [network]\nnats = 'nats://127.0.0.1'\n[process.back]\nguests = ['admin']\n\
           [process.front]\nguests = ['links']\n";
    let expected = "6:14: `sessions` is granted to `admin` in the process `back` and to `links` in \
                    the process `front`; one process opens a provider: move `admin` and `links` \
                    into one process, or let one of them call a service of the other";
    check_errors(&text, &[expected]);
}

#[test]
fn a_part_has_the_providers_of_its_guests() {
    let text = file("['sessions']")
        + "[service.admin]\nwasm = 'admin.wasm'\n\
           [network]\nnats = 'nats://127.0.0.1'\n[process.back]\nguests = ['admin']\n\
           [process.front]\nguests = ['links']\n";
    let whole = parse(&text).expect("the file must be accepted");
    let providers = |process| {
        let part = whole.of_process(process).expect("the process exists");
        part.providers.len()
    };
    assert_eq!((providers("front"), providers("back")), (1, 0));
}
