//! Reads single values of a deployment file and collects all errors with their positions.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use miette::NamedSource;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::nats_server::without_passwords;
use super::quantity::{DURATION_UNITS_MS, SIZE_UNITS, parse_quantity};
use super::secret::Secret;
use super::spec::{Deployment, SHUTDOWN_DEADLINE_DEFAULT, STARTUP_DEADLINE_DEFAULT};
use crate::error::suggest;
use crate::error::{ConfigError, ConfigErrorKind, ProcessesErrorKind};
use crate::limits::ERRORS_MAX;

pub(super) type Key<'a> = Spanned<DeString<'a>>;
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// Entry of a table of tables: its key, its position as errors print it, and its table if it is
/// one.
pub(super) type NamedTable<'v, 'i> = (&'v Key<'i>, String, Option<&'v DeTable<'i>>);

/// Names of all guests, with their positions in the file.
pub(super) type Names = BTreeMap<String, Range<usize>>;

/// Reader of one file. The deployment is valid only if there are no errors.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Path,
    pub(super) deployment: Deployment,
    /// The first errors, at most [`ERRORS_MAX`].
    pub(super) errors: Vec<ConfigError>,
    /// The last error that had no room.
    pub(super) omitted: Option<ConfigError>,
    /// Guests that `bind` names, with their positions.
    pub(super) bound: Vec<(String, Range<usize>)>,
}

impl<'a> Reader<'a> {
    /// Creates a reader of a text whose relative paths start at the folder of `file`.
    pub(super) fn new(text: &str, file: &'a Path) -> Self {
        let deployment = Deployment {
            guests: Vec::new(),
            startup_deadline: STARTUP_DEADLINE_DEFAULT,
            shutdown_deadline: SHUTDOWN_DEADLINE_DEFAULT,
            memory_bytes_max: None,
            edges: Vec::new(),
            providers: Vec::new(),
            processes: Vec::new(),
            network: None,
            source: NamedSource::new(file.to_string_lossy(), Arc::from(without_passwords(text))),
        };
        Reader {
            file,
            deployment,
            errors: Vec::new(),
            omitted: None,
            bound: Vec::new(),
        }
    }

    /// Returns whether there are no errors so far.
    pub(super) fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// Records an error at a position, and returns it for additions.
    pub(super) fn report<'k>(
        &mut self,
        span: Range<usize>,
        kind: impl Into<ConfigErrorKind<'k>>,
    ) -> &mut ConfigError {
        let kind = kind.into();
        let has_room = self.errors.len() < ERRORS_MAX;
        // The position of an error without room is not searched: it costs a pass over the file.
        let start = if has_room { span.start } else { 0 };
        let text = self.deployment.source.inner();
        let before = &text[..text.floor_char_boundary(start)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let error = ConfigError {
            message: kind.to_string(),
            help: kind.help(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span: span.into(),
            other: None,
            source_code: self.deployment.source.clone(),
        };
        if has_room {
            self.errors.push(error);
            self.errors.last_mut().expect("an error was just added")
        } else {
            self.omitted.insert(error)
        }
    }

    /// Reports an error of the TOML syntax with another message.
    pub(super) fn syntax(&mut self, error: &toml::de::Error, message: &str) {
        let text = self.deployment.source.inner();
        let mut span = error.span().unwrap_or(text.len()..text.len());
        if span.is_empty() {
            // Something is missing: point at the text before it, because the file may end here.
            span.start = text.floor_char_boundary(span.start.saturating_sub(1));
        }
        self.report(span, ConfigErrorKind::Syntax(message.replace('\n', ", ")));
    }

    /// Returns the tables `[kind.<name>]`, each with its key and its position as errors print it.
    ///
    /// The table is `None` if the value is something else, which is reported.
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
            let what = format!("`{kind}.{}`", key.get_ref());
            let place = format!("`[{kind}.{}]`", key.get_ref());
            let table = self.table(&what, value, &format!("a table {place}"));
            (key, place, table)
        };
        tables.into_iter().flatten().map(named).collect()
    }

    /// Returns a path of the file, resolved against the folder of the file.
    pub(super) fn beside(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Returns an array of strings; errors call an item `what`.
    pub(super) fn strings(&mut self, key: &str, what: &str, value: &Value<'_>) -> Vec<String> {
        self.placed_strings(key, what, value)
            .into_iter()
            .map(|(text, _)| text.to_owned())
            .collect()
    }

    /// Returns an array of strings with their positions.
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

    /// Returns an integer within a range.
    pub(super) fn count(
        &mut self,
        key: &'static str,
        value: &Value<'_>,
        range: RangeInclusive<u64>,
    ) -> u64 {
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
                ConfigErrorKind::Count {
                    key,
                    number: &number.to_string(),
                    range,
                },
            );
        }
        count.unwrap_or_default()
    }

    /// Returns the number of a value such as `"64MiB"`, in the smallest unit of the scale.
    pub(super) fn quantity(&mut self, value: &Value<'_>, scale: &Scale) -> u64 {
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
                ConfigErrorKind::NoQuantity {
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
                    ConfigErrorKind::Quantity {
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
                    ConfigErrorKind::Range {
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
            self.report(value.span(), ConfigErrorKind::Nul { what });
        }
        Some(text)
    }

    /// Returns the path of a key that may be left out, resolved against the folder of the file.
    pub(super) fn optional_path(
        &mut self,
        key: &'static str,
        value: &Value<'_>,
        expected: &str,
    ) -> Option<PathBuf> {
        let path = self.string(&format!("`{key}`"), value, expected)?;
        if path.is_empty() {
            let file = self.deployment.source.name().to_owned();
            self.report(
                value.span(),
                ProcessesErrorKind::EmptyPath { key, file: &file },
            );
        }
        Some(self.beside(path))
    }

    pub(super) fn boolean(&mut self, key: &str, value: &Value<'_>) -> bool {
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_type(&format!("`{key}`"), value, "true or false");
        }
        flag.unwrap_or_default()
    }

    /// Returns a secret: `{ env = "TOKEN" }` or `{ file = "token.txt" }`.
    pub(super) fn secret(&mut self, what: &str, value: &Value<'_>) -> Option<Secret> {
        let entry = self.table(
            what,
            value,
            "{ env = \"<variable>\" } or { file = \"<path>\" }",
        )?;
        let mut secret = None;
        for (key, value) in entry {
            let read = match key.get_ref().as_ref() {
                "env" => self
                    .string("`env`", value, "the name of a variable")
                    .map(|name| Secret::Env(name.to_owned())),
                "file" => self
                    .string("`file`", value, "a path")
                    .map(|path| Secret::File(self.beside(path))),
                _ => {
                    self.unknown_key(key, what, &["env", "file"]);
                    continue;
                }
            };
            match read {
                Some(Secret::Env(name)) if name.is_empty() || name.contains('=') => {
                    self.report(value.span(), ConfigErrorKind::VariableName { name: &name });
                }
                Some(Secret::File(_)) if value.get_ref().as_str() == Some("") => {
                    self.report(value.span(), ConfigErrorKind::EmptySecret { what });
                }
                read => secret = read.or(secret),
            }
        }
        if entry.len() != 1 {
            self.report(value.span(), ConfigErrorKind::SecretForm { what });
        }
        secret
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
            ConfigErrorKind::Type {
                what,
                found: &found,
                expected,
            },
        );
    }

    /// Reports an unknown key, and returns the known key that is similar, if there is one.
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
            ConfigErrorKind::UnknownKey {
                key: name,
                place,
                similar,
                known,
            },
        );
        similar
    }
}

/// Returns whether a text is a valid name of a guest or process.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// Units and range of a quantity.
pub(super) struct Scale {
    pub(super) key: &'static str,
    pub(super) noun: &'static str,
    pub(super) units: &'static [(&'static str, u64)],
    pub(super) range: RangeInclusive<u64>,
    /// Valid form, for error messages.
    pub(super) form: &'static str,
}

impl Scale {
    pub(super) const fn of_size(
        key: &'static str,
        range: RangeInclusive<u64>,
        form: &'static str,
    ) -> Self {
        Scale {
            key,
            noun: "a size",
            units: SIZE_UNITS,
            range,
            form,
        }
    }
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
