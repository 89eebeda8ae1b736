//! Parses the text of a deployment file: the file's own keys and the tables of guests.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::quantity::DURATION_UNITS_MS;
use super::secret::EnvValue;
use super::spec::{Deployment, GuestSpec, MANIFEST_VERSION, RestartAfter, Role};
use super::values::{Key, Names, Reader, Scale, Value, is_name};
use crate::error::{ConfigErrorKind, DeploymentError, ProcessesErrorKind, suggest};
use crate::limits::{BUDGET_MAX, DEPLOYMENT_BYTES_MAX, REPLICAS_MAX};
use crate::regular_file;

const FILE_KEYS: &[&str] = &[
    "manifest_version",
    "startup_deadline",
    "shutdown_deadline",
    "memory_max",
    "service",
    "program",
    "worker",
    "edge",
    "provider",
    "process",
    "network",
];

const MEMORY: Scale = Scale::of_size(
    "memory",
    64 << 10..=4 << 30,
    "a whole number and KiB, MiB or GiB, from \"64KiB\" to \"4GiB\", such as \"64MiB\"",
);
/// Sum over all guests.
const MEMORY_MAX: Scale = Scale::of_size(
    "memory_max",
    64 << 10..=1 << 40,
    "a whole number and KiB, MiB or GiB, from \"64KiB\" to \"1024GiB\", such as \"1GiB\"",
);
const LOG: Scale = Scale::of_size(
    "log",
    1 << 10..=1 << 30,
    "a whole number and KiB, MiB or GiB, from \"1KiB\" to \"1GiB\", such as \"1MiB\"",
);

impl Role {
    /// Returns the name of the table with guests of this role.
    const fn table(self) -> &'static str {
        match self {
            Role::Service => "service",
            Role::Program => "program",
            Role::Worker => "worker",
        }
    }

    const fn keys(self) -> &'static [&'static str] {
        match self {
            Role::Service => &[
                "wasm",
                "args",
                "env",
                "memory",
                "budget",
                "budget_max",
                "log",
                "deadline",
                "restart",
                "max_restarts",
                "max_seconds",
                "replicas",
                "shared",
                "bind",
                "providers",
            ],
            Role::Program => &[
                "wasm",
                "args",
                "env",
                "memory",
                "budget",
                "log",
                "bind",
                "providers",
            ],
            Role::Worker => &[
                "wasm",
                "args",
                "env",
                "memory",
                "budget",
                "log",
                "restart",
                "max_restarts",
                "max_seconds",
                "bind",
                "providers",
            ],
        }
    }
}

impl Deployment {
    /// Reads the deployment file at `path`. Paths in the file are relative to its folder.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or with all errors of the file.
    pub fn read(path: &Path) -> Result<Self, DeploymentError> {
        let unreadable = |source| DeploymentError::Unreadable {
            file: path.to_owned(),
            source,
        };
        let bytes = regular_file::read(path, DEPLOYMENT_BYTES_MAX).map_err(unreadable)?;
        if bytes.starts_with(b"\0asm") {
            return Err(DeploymentError::Module {
                file: path.to_owned(),
            });
        }
        if bytes.len() as u64 > DEPLOYMENT_BYTES_MAX {
            return Err(DeploymentError::TooLarge {
                file: path.to_owned(),
            });
        }
        let text = String::from_utf8(bytes)
            .map_err(|error| unreadable(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        Self::parse(&text, path)
    }

    /// Parses the text of a deployment file. Paths in the text are relative to the folder of
    /// `file`, which need not exist.
    ///
    /// # Errors
    ///
    /// With all errors of the text.
    pub fn parse(text: &str, file: &Path) -> Result<Self, DeploymentError> {
        Reader::new(text, file).read(text)
    }
}

impl Reader<'_> {
    fn read(mut self, text: &str) -> Result<Deployment, DeploymentError> {
        let (root, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            self.root(root.get_ref());
        } else {
            // The recovered rest of a malformed file would only cause follow-up errors.
            self.malformed(errors);
        }
        let Reader {
            file,
            mut deployment,
            mut errors,
            omitted,
            bound: _,
        } = self;
        if errors.is_empty() {
            deployment.guests.sort_by(|a, b| a.name.cmp(&b.name));
            deployment.edges.sort_by(|a, b| a.name.cmp(&b.name));
            deployment.providers.sort_by(|a, b| a.name.cmp(&b.name));
            deployment.processes.sort_by(|a, b| a.name().cmp(b.name()));
            Ok(deployment)
        } else {
            errors.sort_by_key(|error| error.span.offset());
            Err(DeploymentError::Refused {
                file: file.to_owned(),
                errors,
                is_complete: omitted.is_none(),
            })
        }
    }

    /// Reports all errors of the TOML syntax.
    ///
    /// A table that is defined twice is one error: the parser reports each key of the second table
    /// as well.
    fn malformed(&mut self, mut errors: Vec<toml::de::Error>) {
        let text = Arc::clone(self.deployment.source.inner());
        let start = |error: &toml::de::Error| error.span().map_or(text.len(), |span| span.start);
        errors.sort_by_key(start);
        let mut repeated = 0..0;
        for error in &errors {
            if self.omitted.is_some() {
                break;
            }
            let at = start(error);
            if error.message() != "duplicate key" {
                self.syntax(error, error.message());
                continue;
            }
            let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
            let header = text[line..].lines().next().unwrap_or_default().trim();
            if header.starts_with('[') {
                let first = text.lines().position(|line| line.trim() == header);
                let message = match first {
                    Some(first) => format!("{header} is defined in line {} too", first + 1),
                    None => format!("{header} is defined twice"),
                };
                self.syntax(error, &message);
                let body = text[at..].find("\n[").map_or(text.len(), |end| at + end);
                repeated = at..body;
            } else if !repeated.contains(&at) {
                self.syntax(error, error.message());
            }
        }
    }

    fn root(&mut self, root: &DeTable<'_>) {
        if !self.version(root) {
            return; // the same keys may mean something else in another version
        }
        let mut names = Names::new();
        for (key, value) in root {
            match key.get_ref().as_ref() {
                "manifest_version" => {}
                "startup_deadline" => {
                    self.deployment.startup_deadline = self.duration("startup_deadline", value)
                }
                "shutdown_deadline" => {
                    self.deployment.shutdown_deadline = self.duration("shutdown_deadline", value)
                }
                "memory_max" => {
                    self.deployment.memory_bytes_max = Some(self.quantity(value, &MEMORY_MAX));
                }
                "service" => self.guests(Role::Service, value, &mut names),
                "program" => self.guests(Role::Program, value, &mut names),
                "worker" => self.guests(Role::Worker, value, &mut names),
                "edge" => self.edges(value),
                "provider" => self.providers(value),
                "process" | "network" => {} // read below, once all guests are known
                _ => _ = self.unknown_key(key, "the file", FILE_KEYS),
            }
        }
        if names.is_empty() && self.errors.is_empty() {
            self.report(0..0, ConfigErrorKind::NoGuest);
        }
        self.check_bound(&names);
        self.processes(root, &names);
        self.check_grants();
    }

    /// Returns whether the file has a supported version.
    fn version(&mut self, root: &DeTable<'_>) -> bool {
        let Some(value) = root.get("manifest_version") else {
            self.report(0..0, ConfigErrorKind::NoVersion);
            // The key was probably forgotten, so the rest is checked too.
            return true;
        };
        let DeValue::Integer(version) = value.get_ref() else {
            self.wrong_type("`manifest_version`", value, "the integer 1");
            return true;
        };
        let supported =
            u32::from_str_radix(version.as_str(), version.radix()) == Ok(MANIFEST_VERSION);
        if !supported {
            self.report(
                value.span(),
                ConfigErrorKind::Version {
                    found: &version.to_string(),
                },
            );
        }
        supported
    }

    fn guests(&mut self, role: Role, value: &Value<'_>, names: &mut Names) {
        for (key, place, entry) in self.named_tables(role.table(), value) {
            self.name(key, names);
            if let Some(entry) = entry {
                let guest = self.guest(role, key, &place, entry);
                self.deployment.guests.push(guest);
            }
        }
    }

    fn name(&mut self, key: &Key<'_>, names: &mut Names) {
        let name = key.get_ref().as_ref();
        if !is_name(name) {
            self.report(key.span(), ConfigErrorKind::Name { name, of: "guest" });
        }
        if let Some(other) = names.insert(name.to_owned(), key.span()) {
            self.report(key.span(), ConfigErrorKind::SameName { name })
                .other = Some(other.into());
        }
    }

    fn guest(&mut self, role: Role, name: &Key<'_>, place: &str, entry: &DeTable<'_>) -> GuestSpec {
        let mut guest = GuestSpec {
            span: name.span(),
            ..GuestSpec::new(role, &**name.get_ref(), "")
        };
        let mut has_wasm = false;
        for (key, value) in entry {
            let is_known = self.key_of_guest(&mut guest, key, value)
                || role != Role::Program && self.key_of_restart(&mut guest, key, value)
                || role == Role::Service && self.key_of_service(&mut guest, key, value);
            if is_known {
                has_wasm |= key.get_ref() == "wasm";
            } else if let Some(error) = refused_in_role(role, key, place) {
                self.report(key.span(), error);
            } else {
                // A misspelt `wasm` is not missing as well.
                has_wasm |= self.unknown_key(key, place, role.keys()) == Some("wasm");
            }
        }
        if !has_wasm {
            let file = self.deployment.source.name().to_owned();
            self.report(name.span(), ConfigErrorKind::NoWasm { place, file: &file });
        }
        guest
    }

    /// Reads a key that all guests have, and returns whether it is one.
    fn key_of_guest(&mut self, guest: &mut GuestSpec, key: &Key<'_>, value: &Value<'_>) -> bool {
        match key.get_ref().as_ref() {
            "wasm" => {
                guest.wasm = self.wasm(value);
                guest.span = value.span();
            }
            "args" => guest.args = self.strings("args", "an argument", value),
            "env" => guest.env = self.env(value),
            "memory" => guest.memory_bytes = self.quantity(value, &MEMORY),
            "budget" => guest.budget = self.budget("budget", value),
            "log" => guest.log_bytes = self.quantity(value, &LOG),
            "bind" => guest.bind = self.bind(value),
            "providers" => guest.providers = self.grants(value),
            _ => return false,
        }
        true
    }

    /// Reads a key of guests that are restarted, and returns whether it is one.
    fn key_of_restart(&mut self, guest: &mut GuestSpec, key: &Key<'_>, value: &Value<'_>) -> bool {
        match key.get_ref().as_ref() {
            "restart" => guest.restart.after = self.restart_after(value),
            "max_restarts" => {
                guest.restart.max_restarts = self.count("max_restarts", value, 1..=1_000) as u32;
            }
            "max_seconds" => {
                let seconds = self.count("max_seconds", value, 1..=86_400);
                guest.restart.within = Duration::from_secs(seconds);
            }
            _ => return false,
        }
        true
    }

    /// Reads a key that only services have, and returns whether it is one.
    fn key_of_service(&mut self, guest: &mut GuestSpec, key: &Key<'_>, value: &Value<'_>) -> bool {
        match key.get_ref().as_ref() {
            "budget_max" => guest.budget_max = Some(self.budget("budget_max", value)),
            "deadline" => guest.deadline = self.duration("deadline", value),
            "replicas" => {
                guest.replicas = self.count("replicas", value, 1..=REPLICAS_MAX.into()) as u32;
            }
            "shared" => guest.shared = self.strings("shared", "a service", value),
            _ => return false,
        }
        true
    }

    fn wasm(&mut self, value: &Value<'_>) -> PathBuf {
        let file = self.string("`wasm`", value, "a path");
        if file == Some("") {
            let file = self.deployment.source.name().to_owned();
            self.report(value.span(), ConfigErrorKind::EmptyWasm { file: &file });
        }
        self.beside(file.unwrap_or_default())
    }

    fn env(&mut self, value: &Value<'_>) -> BTreeMap<String, EnvValue> {
        let Some(pairs) = self.table("`env`", value, "a table of strings and secrets") else {
            return BTreeMap::new();
        };
        let mut env = BTreeMap::new();
        for (key, value) in pairs {
            let name = key.get_ref().as_ref();
            if name.is_empty() || name.contains(['=', '\0']) {
                self.report(key.span(), ConfigErrorKind::VariableName { name });
            }
            let what = format!("`{name}`");
            let value = match value.get_ref() {
                DeValue::Table(_) => self.secret(&what, value).map(EnvValue::Secret),
                _ => self
                    .string(&what, value, "a string, { env = … } or { file = … }")
                    .map(EnvValue::from),
            };
            env.extend(value.map(|value| (name.to_owned(), value)));
        }
        env
    }

    /// Reads the guests that the requirements with a binding name are bound to. The start checks
    /// the names of the bindings, because only then the requirements and exports are known.
    fn bind(&mut self, value: &Value<'_>) -> BTreeMap<String, String> {
        let Some(pairs) = self.table("`bind`", value, "a table of strings") else {
            return BTreeMap::new();
        };
        let mut bind = BTreeMap::new();
        for (key, value) in pairs {
            let name = key.get_ref().as_ref();
            let guest = self.string(&format!("`{name}`"), value, "a guest's name");
            if let Some(guest) = guest {
                bind.insert(name.to_owned(), guest.to_owned());
                self.bound.push((guest.to_owned(), value.span()));
            }
        }
        bind
    }

    /// Reports guests in `bind` that the file does not have.
    fn check_bound(&mut self, guests: &Names) {
        let known: Vec<_> = guests.keys().map(|name| &**name).collect();
        for (name, span) in std::mem::take(&mut self.bound) {
            if !guests.contains_key(&name) {
                let kind = ProcessesErrorKind::UnknownGuest {
                    name: &name,
                    similar: suggest::nearest(&name, known.iter().copied()),
                    known: &known,
                };
                self.report(span, kind);
            }
        }
    }

    fn budget(&mut self, key: &'static str, value: &Value<'_>) -> Duration {
        let scale = Scale {
            key,
            noun: "a duration",
            units: DURATION_UNITS_MS,
            range: 10..=BUDGET_MAX.as_millis() as u64,
            form: "a whole number and ms or s, from \"10ms\" to \"60s\", such as \"50ms\"",
        };
        Duration::from_millis(self.quantity(value, &scale))
    }

    fn restart_after(&mut self, value: &Value<'_>) -> RestartAfter {
        const NAMES: [(&str, RestartAfter); 3] = [
            ("never", RestartAfter::Never),
            ("on-failure", RestartAfter::Failure),
            ("always", RestartAfter::Always),
        ];
        const CHOICES: &str = "\"never\", \"on-failure\" or \"always\"";
        let Some(text) = self.string("`restart`", value, "a string") else {
            return RestartAfter::Never;
        };
        let known = NAMES.iter().find(|(name, _)| *name == text);
        if known.is_none() {
            self.report(
                value.span(),
                ConfigErrorKind::Choice {
                    key: "restart",
                    text,
                    choices: CHOICES,
                },
            );
        }
        known.map_or(RestartAfter::Never, |(_, after)| *after)
    }
}

/// Returns the error of a key that guests of another role have.
fn refused_in_role<'a>(
    role: Role,
    key: &'a Key<'_>,
    place: &'a str,
) -> Option<ConfigErrorKind<'a>> {
    let key: &str = key.get_ref().as_ref();
    let reason = match key {
        "replicas" | "shared" if role != Role::Service => {
            "calls are distributed over instances, and only services are called"
        }
        "budget_max" if role != Role::Service => {
            "this key bounds the budgets of methods, and only services have methods"
        }
        "deadline" if role != Role::Service => {
            "this key bounds the time of calls, and only services are called"
        }
        "restart" | "max_restarts" | "max_seconds" if role == Role::Program => {
            "only services and workers are restarted: a guest with a `main` function that must be \
             restarted is a `[worker.<name>]`"
        }
        _ => return None,
    };
    Some(ConfigErrorKind::OtherRole { key, place, reason })
}
