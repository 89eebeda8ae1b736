//! Parses the tables `[provider.<name>]` and the grants of guests.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::provider::{Access, Grant, ProviderSpec, ProviderValue};
use super::spec::{Process, process_of};
use super::values::{Key, Reader, Value, is_name};
use crate::error::{ConfigErrorKind, ProviderErrorKind, suggest};

const GRANT_KEYS: &[&str] = &["name", "access"];

/// Guest with a grant: names of guest and process, and position of the grant.
type Granted = (String, Option<String>, Range<usize>);

impl Reader<'_> {
    /// Parses all providers.
    pub(super) fn providers(&mut self, value: &Value<'_>) {
        for (key, place, entry) in self.named_tables("provider", value) {
            let name = key.get_ref().as_ref();
            if !is_name(name) {
                let of = "provider";
                self.report(key.span(), ConfigErrorKind::Name { name, of });
            }
            if let Some(entry) = entry {
                let provider = self.provider(key, &place, entry);
                self.deployment.providers.push(provider);
            }
        }
    }

    fn provider(&mut self, name: &Key<'_>, place: &str, entry: &DeTable<'_>) -> ProviderSpec {
        let mut provider = ProviderSpec {
            folder: self.beside(""),
            span: name.span(),
            ..ProviderSpec::new(&**name.get_ref(), "")
        };
        for (key, value) in entry {
            if key.get_ref() == "kind" {
                let kind = self.string("`kind`", value, "a string");
                provider.kind = kind.unwrap_or_default().to_owned();
                continue;
            }
            let value = ProviderValue {
                key_span: key.span(),
                span: value.span(),
                text: value.get_ref().as_str().map(str::to_owned),
            };
            provider.values.insert(key.get_ref().to_string(), value);
        }
        if !entry.contains_key("kind") {
            self.report(name.span(), ProviderErrorKind::NoKind { place });
        }
        provider
    }

    /// Parses the grants of a guest: an array, or a table by the names of bindings.
    pub(super) fn grants(&mut self, value: &Value<'_>) -> Vec<Grant> {
        let mut grants: Vec<Grant> = Vec::new();
        let entries: Vec<(&str, &Value<'_>)> = match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| ("", item)).collect(),
            DeValue::Table(table) => table
                .iter()
                .map(|(key, value)| (key.get_ref().as_ref(), value))
                .collect(),
            _ => {
                let expected = "an array of providers, or a table with a provider for each binding";
                self.wrong_type("`providers`", value, expected);
                Vec::new()
            }
        };
        for (binding, value) in entries {
            let Some(grant) = self.grant(binding, value) else {
                continue;
            };
            match grants.iter().find(|known| known.provider == grant.provider) {
                None => grants.push(grant),
                Some(first) => {
                    let provider = &grant.provider;
                    let other = first.span.clone();
                    self.report(
                        grant.span.clone(),
                        ProviderErrorKind::GrantedTwice { provider },
                    )
                    .other = Some(other.into());
                }
            }
        }
        grants
    }

    /// Parses a grant: the name of a provider, or a table with `name` and `access`.
    fn grant(&mut self, binding: &str, value: &Value<'_>) -> Option<Grant> {
        let mut grant = Grant {
            provider: String::new(),
            binding: binding.to_owned(),
            access: Access::Full,
            span: value.span(),
        };
        let DeValue::Table(entry) = value.get_ref() else {
            let expected = "a provider's name, or { name = …, access = \"read\" }";
            grant.provider = self.string("a provider", value, expected)?.to_owned();
            return Some(grant);
        };
        for (key, value) in entry {
            match key.get_ref().as_ref() {
                "name" => {
                    grant.span = value.span();
                    grant.provider = self.string("`name`", value, "a string")?.to_owned();
                }
                "access" => grant.access = self.access(value),
                _ => _ = self.unknown_key(key, "a grant", GRANT_KEYS),
            }
        }
        if !entry.contains_key("name") {
            self.report(value.span(), ProviderErrorKind::NoName);
            return None;
        }
        Some(grant)
    }

    fn access(&mut self, value: &Value<'_>) -> Access {
        match self.string("`access`", value, "a string") {
            Some("read") => Access::Read,
            Some("full") | None => Access::Full,
            Some(text) => {
                let kind = ConfigErrorKind::Choice {
                    key: "access",
                    text,
                    choices: "\"read\" or \"full\"",
                };
                self.report(value.span(), kind);
                Access::Full
            }
        }
    }

    /// Checks that each grant names a provider, and that each provider has its guests in one
    /// process: the process that opens it.
    pub(super) fn check_grants(&mut self) {
        let names: Vec<_> = self
            .deployment
            .providers
            .iter()
            .map(name_and_span)
            .collect();
        let known: Vec<_> = names.iter().map(|(name, _)| &**name).collect();
        let mut granted: BTreeMap<String, Vec<Granted>> = BTreeMap::new();
        for (guest, process, grant) in grants(&self.deployment.guests, &self.deployment.processes) {
            let Grant { provider, span, .. } = grant;
            if known.contains(&&*provider) {
                let of_provider = granted.entry(provider).or_default();
                of_provider.push((guest, process, span));
                continue;
            }
            let kind = ProviderErrorKind::Unknown {
                name: &provider,
                similar: suggest::nearest(&provider, known.iter().copied()),
                known: &known,
            };
            self.report(span, kind);
        }
        for (provider, span) in &names {
            let guests = granted.get(provider).map_or(&[][..], |guests| guests);
            let Some((first, home, place)) = guests.first() else {
                self.report(span.clone(), ProviderErrorKind::Ungranted { provider });
                continue;
            };
            let elsewhere = guests.iter().find(|(_, process, _)| process != home);
            if let Some((second, Some(other), span)) = elsewhere {
                let kind = ProviderErrorKind::InTwoProcesses {
                    provider,
                    first: (first, home.as_deref().unwrap_or_default()),
                    second: (second, other),
                };
                self.report(span.clone(), kind).other = Some(place.clone().into());
            }
        }
    }
}

fn name_and_span(provider: &ProviderSpec) -> (String, Range<usize>) {
    (provider.name.clone(), provider.span.clone())
}

/// Returns all grants, each with the names of its guest and of the guest's process.
fn grants(
    guests: &[super::GuestSpec],
    processes: &[Process],
) -> Vec<(String, Option<String>, Grant)> {
    let of_guest = |guest: &super::GuestSpec| {
        let name = guest.name.clone();
        let process = process_of(&name, processes).map(|process| process.name().to_owned());
        let grants = guest.providers.clone().into_iter();
        grants
            .map(move |grant| (name.clone(), process.clone(), grant))
            .collect::<Vec<_>>()
    };
    guests.iter().flat_map(of_guest).collect()
}
