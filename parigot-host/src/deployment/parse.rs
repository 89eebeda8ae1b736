//! Reads the text of a deployment file, and writes down all that is wrong with it.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use miette::NamedSource;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::{
    BUDGET_MAX, ConfigError, Deployment, DeploymentError, GuestSpec, MANIFEST_VERSION,
    REPLICAS_MAX, RestartAfter, Role, SHUTDOWN_DEADLINE_DEFAULT, STARTUP_DEADLINE_DEFAULT,
};
use crate::error::ConfigErrorKind;
use crate::error::suggest;

const FILE_KEYS: &[&str] = &[
    "manifest_version",
    "startup_deadline",
    "shutdown_deadline",
    "service",
    "program",
    "process",
    "network",
];
pub(super) const SIZE_UNITS: &[(&str, u64)] =
    &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
pub(super) const DURATION_UNITS_MS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

impl Role {
    /// The table of the file that holds guests of this role.
    const fn table(self) -> &'static str {
        match self {
            Role::Service => "service",
            Role::Program => "program",
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
                "log",
                "deadline",
                "restart",
                "max_restarts",
                "max_seconds",
                "replicas",
                "shared",
            ],
            Role::Program => &["wasm", "args", "env", "memory", "budget", "log"],
        }
    }
}

pub(super) type Key<'a> = Spanned<DeString<'a>>;
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

type NamedTable<'v, 'i> = (&'v Key<'i>, String, Option<&'v DeTable<'i>>);

/// Walks through a file and writes down what is wrong; the deployment counts only if nothing was.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Path,
    pub(super) deployment: Deployment,
    pub(super) errors: Vec<ConfigError>,
}

/// The names of all guests, and where they stand.
pub(super) type Names = BTreeMap<String, Range<usize>>;

impl<'a> Reader<'a> {
    /// For a text that stands at `file`.
    pub(super) fn new(text: &str, file: &'a Path) -> Self {
        let deployment = Deployment {
            guests: Vec::new(),
            startup_deadline: STARTUP_DEADLINE_DEFAULT,
            shutdown_deadline: SHUTDOWN_DEADLINE_DEFAULT,
            processes: Vec::new(),
            network: None,
            source: NamedSource::new(file.to_string_lossy(), Arc::from(text)),
        };
        Reader {
            file,
            deployment,
            errors: Vec::new(),
        }
    }

    pub(super) fn read(mut self) -> Result<Deployment, DeploymentError> {
        let text = Arc::clone(self.deployment.source.inner());
        let (root, errors) = DeTable::parse_recoverable(&text);
        if errors.is_empty() {
            self.root(root.get_ref());
        } else {
            // What was guessed behind a mistake in the syntax would only lead to more complaints.
            errors.iter().for_each(|error| self.syntax(error));
        }
        let Reader {
            file,
            mut deployment,
            mut errors,
        } = self;
        if errors.is_empty() {
            deployment.guests.sort_by(|a, b| a.name.cmp(&b.name));
            deployment.processes.sort_by(|a, b| a.name().cmp(b.name()));
            Ok(deployment)
        } else {
            errors.sort_by_key(|mistake| mistake.span.offset());
            Err(DeploymentError::Refused {
                file: file.to_owned(),
                errors,
            })
        }
    }

    /// Whether nothing was wrong so far.
    pub(super) fn is_right(&self) -> bool {
        self.errors.is_empty()
    }

    pub(super) fn report(
        &mut self,
        span: Range<usize>,
        kind: &ConfigErrorKind<'_>,
    ) -> &mut ConfigError {
        let text = self.deployment.source.inner();
        let before = &text[..text.floor_char_boundary(span.start)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        self.errors.push(ConfigError {
            message: kind.to_string(),
            help: kind.help(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span: span.into(),
            other: None,
            source_code: self.deployment.source.clone(),
        });
        self.errors.last_mut().expect("one was just pushed")
    }

    fn syntax(&mut self, error: &toml::de::Error) {
        let text = self.deployment.source.inner();
        let mut span = error.span().unwrap_or(text.len()..text.len());
        if span.is_empty() {
            // Something is missing: point at what stands before it, for there may be nothing behind.
            span.start = text.floor_char_boundary(span.start.saturating_sub(1));
        }
        self.report(
            span,
            &ConfigErrorKind::Syntax(error.message().replace('\n', ", ")),
        );
    }

    fn root(&mut self, root: &DeTable<'_>) {
        if !self.version(root) {
            return; // another version may mean other things by the same words
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
                "service" => self.guests(Role::Service, value, &mut names),
                "program" => self.guests(Role::Program, value, &mut names),
                "process" | "network" => {} // when all guests are known
                _ => _ = self.unknown_key(key, "the file", FILE_KEYS),
            }
        }
        if names.is_empty() && self.errors.is_empty() {
            self.report(0..0, &ConfigErrorKind::NoGuest);
        }
        self.processes(root, &names);
    }

    /// Whether the file is of the version that is understood here.
    fn version(&mut self, root: &DeTable<'_>) -> bool {
        let Some(value) = root.get("manifest_version") else {
            self.report(0..0, &ConfigErrorKind::NoVersion);
            // Most likely it was forgotten, and the rest is worth a look.
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
                &ConfigErrorKind::Version {
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

    /// The tables `[kind.<name>]`, each with its name and its place; without a table if something else is there.
    pub(super) fn named_tables<'v, 'i>(
        &mut self,
        kind: &str,
        value: &'v Value<'i>,
    ) -> Vec<NamedTable<'v, 'i>> {
        let tables = self.table(
            &format!("`{kind}`"),
            value,
            &format!("tables `[{kind}.<name>]`"),
        );
        let named = |(key, value): (&'v Key<'i>, &'v Value<'i>)| {
            let (what, place) = (
                format!("`{kind}.{}`", key.get_ref()),
                format!("`[{kind}.{}]`", key.get_ref()),
            );
            let table = self.table(&what, value, &format!("a table {place}"));
            (key, place, table)
        };
        tables.into_iter().flatten().map(named).collect()
    }

    fn name(&mut self, key: &Key<'_>, names: &mut Names) {
        let name = key.get_ref().as_ref();
        if !is_name(name) {
            self.report(key.span(), &ConfigErrorKind::Name { name, of: "guest" });
        }
        if let Some(other) = names.insert(name.to_owned(), key.span()) {
            self.report(key.span(), &ConfigErrorKind::SameName { name })
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
            match (key.get_ref().as_ref(), role) {
                ("wasm", _) => {
                    guest.wasm = self.wasm(value);
                    guest.span = value.span();
                    has_wasm = true;
                }
                ("args", _) => guest.args = self.strings("args", "an argument", value),
                ("env", _) => guest.env = self.env(value),
                ("memory", _) => guest.memory_bytes = self.memory_bytes(value),
                ("budget", _) => guest.budget = self.budget(value),
                ("log", _) => guest.log_bytes = self.log_bytes(value),
                ("deadline", Role::Service) => guest.deadline = self.duration("deadline", value),
                ("replicas", Role::Service) => {
                    guest.replicas = self.count("replicas", value, 1..=REPLICAS_MAX.into()) as u32;
                }
                ("shared", Role::Service) => {
                    guest.shared = self.strings("shared", "a service", value)
                }
                (key_name @ ("replicas" | "shared"), Role::Program) => {
                    self.report(
                        key.span(),
                        &ConfigErrorKind::ReplicasOfProgram {
                            key: key_name,
                            place,
                        },
                    );
                }
                (key_name @ "deadline", Role::Program) => {
                    self.report(
                        key.span(),
                        &ConfigErrorKind::DeadlineOfProgram {
                            key: key_name,
                            place,
                        },
                    );
                }
                ("restart", Role::Service) => guest.restart.after = self.restart_after(value),
                ("max_restarts", Role::Service) => {
                    guest.restart.max_restarts =
                        self.count("max_restarts", value, 1..=1_000) as u32;
                }
                ("max_seconds", Role::Service) => {
                    guest.restart.within =
                        Duration::from_secs(self.count("max_seconds", value, 1..=86_400));
                }
                (key_name @ ("restart" | "max_restarts" | "max_seconds"), Role::Program) => {
                    self.report(
                        key.span(),
                        &ConfigErrorKind::RestartOfProgram {
                            key: key_name,
                            place,
                        },
                    );
                }
                // If `wasm` is what was meant, it is not missing besides.
                _ => has_wasm |= self.unknown_key(key, place, role.keys()) == Some("wasm"),
            }
        }
        if !has_wasm {
            let file = self.deployment.source.name().to_owned();
            self.report(name.span(), &ConfigErrorKind::NoWasm { place, file: &file });
        }
        guest
    }

    fn wasm(&mut self, value: &Value<'_>) -> PathBuf {
        let file = self.string("`wasm`", value, "a path");
        if file == Some("") {
            let file = self.deployment.source.name().to_owned();
            self.report(value.span(), &ConfigErrorKind::EmptyWasm { file: &file });
        }
        self.beside(file.unwrap_or_default())
    }

    /// A path in the file, which is relative to the folder that the file is in.
    pub(super) fn beside(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    /// An array, each of whose items is `what`.
    fn strings(&mut self, key: &str, what: &str, value: &Value<'_>) -> Vec<String> {
        self.placed_strings(key, what, value)
            .into_iter()
            .map(|(text, _)| text.to_owned())
            .collect()
    }

    /// The same, each with its place.
    pub(super) fn placed_strings<'v>(
        &mut self,
        key: &str,
        what: &str,
        value: &'v Value<'_>,
    ) -> Vec<(&'v str, Range<usize>)> {
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(&format!("`{key}`"), value, "an array of strings");
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| Some((self.string(what, item, "a string")?, item.span())))
            .collect()
    }

    fn env(&mut self, value: &Value<'_>) -> BTreeMap<String, String> {
        let Some(pairs) = self.table("`env`", value, "a table of strings") else {
            return BTreeMap::new();
        };
        let mut env = BTreeMap::new();
        for (key, value) in pairs {
            let name = key.get_ref().as_ref();
            if name.is_empty() || name.contains(['=', '\0']) {
                self.report(key.span(), &ConfigErrorKind::VariableName { name });
            }
            if let Some(value) = self.string(&format!("`{name}`"), value, "a string") {
                env.insert(name.to_owned(), value.to_owned());
            }
        }
        env
    }

    fn memory_bytes(&mut self, value: &Value<'_>) -> u64 {
        let scale = Scale {
            key: "memory",
            noun: "a size",
            units: SIZE_UNITS,
            range: 64 << 10..=4 << 30,
            form: "a whole number and KiB, MiB or GiB, from \"64KiB\" to \"4GiB\", such as \"64MiB\"",
        };
        self.quantity(value, &scale)
    }

    fn budget(&mut self, value: &Value<'_>) -> Duration {
        let scale = Scale {
            key: "budget",
            noun: "a duration",
            units: DURATION_UNITS_MS,
            range: 10..=BUDGET_MAX.as_millis() as u64,
            form: "a whole number and ms or s, from \"10ms\" to \"60s\", such as \"50ms\"",
        };
        Duration::from_millis(self.quantity(value, &scale))
    }

    fn log_bytes(&mut self, value: &Value<'_>) -> u64 {
        let scale = Scale {
            key: "log",
            noun: "a size",
            units: SIZE_UNITS,
            range: 1 << 10..=1 << 30,
            form: "a whole number and KiB, MiB or GiB, from \"1KiB\" to \"1GiB\", such as \"1MiB\"",
        };
        self.quantity(value, &scale)
    }

    pub(super) fn duration(&mut self, key: &'static str, value: &Value<'_>) -> Duration {
        let scale = Scale {
            key,
            noun: "a duration",
            units: DURATION_UNITS_MS,
            range: 1..=24 * 3_600_000,
            form: "a whole number and ms, s, m or h, from \"1ms\" to \"24h\", such as \"3s\"",
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
                &ConfigErrorKind::Choice {
                    key: "restart",
                    text,
                    choices: CHOICES,
                },
            );
        }
        known.map_or(RestartAfter::Never, |(_, after)| *after)
    }

    /// A whole number without a unit.
    fn count(&mut self, key: &'static str, value: &Value<'_>, range: RangeInclusive<u64>) -> u64 {
        let DeValue::Integer(number) = value.get_ref() else {
            let expected = format!("an integer from {} to {}", range.start(), range.end());
            self.wrong_type(&format!("`{key}`"), value, &expected);
            return 0;
        };
        let count = u64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .filter(|count| range.contains(count));
        if count.is_none() {
            self.report(
                value.span(),
                &ConfigErrorKind::Count {
                    key,
                    number: &number.to_string(),
                    range,
                },
            );
        }
        count.unwrap_or_default()
    }

    /// The number in a value such as `"64MiB"`, in the smallest unit of the scale that bounds it.
    fn quantity(&mut self, value: &Value<'_>, scale: &Scale) -> u64 {
        let Scale {
            key,
            noun,
            units,
            ref range,
            form,
        } = *scale;
        let DeValue::String(text) = value.get_ref() else {
            let found = with_article(value.get_ref());
            self.report(
                value.span(),
                &ConfigErrorKind::NoQuantity {
                    key,
                    found: &found,
                    noun,
                    form,
                },
            );
            return 0;
        };
        let quantity = parse_quantity(text, units);
        match quantity {
            None => {
                _ = self.report(
                    value.span(),
                    &ConfigErrorKind::Quantity {
                        key,
                        text,
                        noun,
                        form,
                    },
                )
            }
            Some(quantity) if !range.contains(&quantity) => {
                let much = if quantity < *range.start() {
                    "little"
                } else {
                    "much"
                };
                self.report(
                    value.span(),
                    &ConfigErrorKind::Range {
                        key,
                        text,
                        much,
                        form,
                    },
                );
            }
            Some(_) => {}
        }
        quantity.unwrap_or_default()
    }

    pub(super) fn string<'v>(
        &mut self,
        what: &str,
        value: &'v Value<'_>,
        expected: &str,
    ) -> Option<&'v str> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(what, value, expected);
            return None;
        };
        if text.contains('\0') {
            self.report(value.span(), &ConfigErrorKind::Nul { what });
        }
        Some(text)
    }

    pub(super) fn table<'v, 'i>(
        &mut self,
        what: &str,
        value: &'v Value<'i>,
        expected: &str,
    ) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(what, value, expected);
        }
        table
    }

    pub(super) fn wrong_type(&mut self, what: &str, value: &Value<'_>, expected: &str) {
        let found = with_article(value.get_ref());
        self.report(
            value.span(),
            &ConfigErrorKind::Type {
                what,
                found: &found,
                expected,
            },
        );
    }

    /// Returns the known key that was meant, if one is similar.
    pub(super) fn unknown_key(
        &mut self,
        key: &Key<'_>,
        place: &str,
        known: &[&'static str],
    ) -> Option<&'static str> {
        let name = key.get_ref().as_ref();
        let similar = suggest::nearest(name, known.iter().copied());
        self.report(
            key.span(),
            &ConfigErrorKind::UnknownKey {
                key: name,
                place,
                similar,
                known,
            },
        );
        similar
    }
}

/// Whether guests and processes may be called so.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// A kind of number with a unit.
struct Scale {
    key: &'static str,
    noun: &'static str,
    units: &'static [(&'static str, u64)],
    range: RangeInclusive<u64>,
    /// How it is written.
    form: &'static str,
}

/// Reads `12KiB` as 12 times what the unit stands for.
pub(super) fn parse_quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

fn with_article(value: &DeValue<'_>) -> String {
    let noun = value.type_str();
    let article = if noun.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {noun}")
}
