//! Parser of the parameter of a request.

use super::{Language, MessageSource, ModuleClash, Options, Paths, RustOptions, Streaming};
use crate::error::Error;

/// An option that the plugin knows.
struct Key {
    name: &'static str,
    /// Language of the option; `None` for all languages.
    language: Option<Language>,
    /// The option may be repeated, for different texts before the `=` in the value.
    repeats: bool,
    /// Reads the value.
    read: fn(&mut Options, &Value<'_>) -> Result<(), Error>,
}

/// Value and the key that it was given for.
struct Value<'a> {
    key: &'a str,
    text: &'a str,
}

/// All options, in alphabetical order.
const KEYS: &[Key] = &[
    Key {
        name: "extern_path",
        language: Some(Language::Rust),
        repeats: true,
        read: |options, value| read_extern_path(&mut options.rust, value),
    },
    Key {
        name: "include_imports",
        language: Some(Language::Rust),
        repeats: false,
        read: |options, value| value.choose(YES_OR_NO, &mut options.rust.include_imports),
    },
    Key {
        name: "lang",
        language: None,
        repeats: false,
        read: |options, value| {
            value.choose(
                &[("rust", Language::Rust), ("go", Language::Go)],
                &mut options.language,
            )
        },
    },
    PACKAGES,
    Key {
        name: "messages",
        language: Some(Language::Rust),
        repeats: false,
        read: |options, value| {
            value.choose(
                &[
                    ("prost", MessageSource::Prost),
                    ("external", MessageSource::External),
                ],
                &mut options.rust.messages,
            )
        },
    },
    Key {
        name: "mod_file",
        language: Some(Language::Rust),
        repeats: false,
        read: |options, value| value.choose(YES_OR_NO, &mut options.rust.mod_file),
    },
    MODULE,
    MODULE_CLASH,
    PATHS,
    Key {
        name: "streaming",
        language: None,
        repeats: false,
        read: |options, value| {
            value.choose(
                &[("generate", Streaming::Generate), ("skip", Streaming::Skip)],
                &mut options.streaming,
            )
        },
    },
];

/// Values of a boolean option. A bare key means true.
const YES_OR_NO: &[(&str, bool)] = &[("true", true), ("false", false), ("", true)];

const MODULE: Key = Key {
    name: "module",
    language: Some(Language::Go),
    repeats: false,
    read: |options, value| {
        options.go.module = Some(value.text.to_owned()).filter(|module| !module.is_empty());
        Ok(())
    },
};

const MODULE_CLASH: Key = Key {
    name: "module_clash",
    language: Some(Language::Rust),
    repeats: false,
    read: |options, value| {
        value.choose(
            &[
                ("refuse", ModuleClash::Refuse),
                ("merge", ModuleClash::Merge),
            ],
            &mut options.rust.module_clash,
        )
    },
};

const PACKAGES: Key = Key {
    name: "M<file>",
    language: Some(Language::Go),
    repeats: false,
    read: |options, value| {
        options
            .go
            .packages
            .insert(value.key[1..].to_owned(), value.text.into());
        Ok(())
    },
};

const PATHS: Key = Key {
    name: "paths",
    language: Some(Language::Go),
    repeats: false,
    read: |options, value| {
        value.choose(
            &[
                ("import", Paths::Import),
                ("source_relative", Paths::SourceRelative),
            ],
            &mut options.go.paths,
        )
    },
};

impl Options {
    /// Parses the parameter of a request.
    ///
    /// # Errors
    ///
    /// Returns all errors: unknown options, invalid values, repetitions, and options of another
    /// language.
    pub fn parse(parameter: &str) -> Result<Self, Vec<Error>> {
        let mut options = Self::default();
        let mut errors = Vec::new();
        let mut seen = Vec::new();
        let mut known = Vec::new();
        for option in split(parameter) {
            let (key, value) = option.split_once('=').unwrap_or((&option, ""));
            let Some(spec) = KEYS.iter().find(|spec| spec.is(key)) else {
                errors.push(Error::UnknownOption {
                    key: key.to_owned(),
                    hint: hint(key),
                });
                continue;
            };
            let identity = spec.identity(key, value);
            if seen.contains(&identity) {
                errors.push(Error::RepeatedOption { key: identity });
                continue;
            }
            errors.extend((spec.read)(&mut options, &Value { key, text: value }).err());
            seen.push(identity);
            known.push((spec, key.to_owned()));
        }
        // The option `lang` may come last, so the languages of the other options are checked at the
        // end.
        errors.extend(
            known
                .into_iter()
                .filter_map(|(spec, key)| spec.misplaced(key, options.language)),
        );
        errors.extend(options.rust.check().err());
        errors.extend(options.go.check().err());
        if errors.is_empty() {
            Ok(options)
        } else {
            Err(errors)
        }
    }
}

/// Splits a parameter at its commas, except those after a backslash, which are part of a value.
fn split(parameter: &str) -> impl Iterator<Item = String> {
    // A command-line argument contains no NUL, so NUL can stand for an escaped comma.
    let hidden = parameter.replace("\\,", "\0");
    let options: Vec<_> = hidden
        .split(',')
        .map(|option| option.trim().replace('\0', ","))
        .collect();
    options.into_iter().filter(|option| !option.is_empty())
}

impl Key {
    /// Returns true if the option has the name `key`, which may end with the name of a file.
    fn is(&self, key: &str) -> bool {
        match self.name.strip_suffix("<file>") {
            Some(start) => key.len() > start.len() && key.starts_with(start),
            None => self.name == key,
        }
    }

    /// Returns the text that must not occur twice: the key or, for a repeatable option, the key and
    /// the part of the value before its `=`.
    fn identity(&self, key: &str, value: &str) -> String {
        match value.split_once('=') {
            Some((about, _)) if self.repeats => format!("{key}={about}"),
            _ => key.to_owned(),
        }
    }

    /// Returns an error if the option does not apply to the generated language.
    fn misplaced(&self, key: String, generated: Language) -> Option<Error> {
        let language = self.language.filter(|language| *language != generated)?;
        Some(Error::OptionOfLanguage {
            key,
            language: language.name(),
        })
    }
}

impl Value<'_> {
    /// Sets `target` to the choice that the value names.
    fn choose<T: Copy>(&self, choices: &[(&str, T)], target: &mut T) -> Result<(), Error> {
        match choices.iter().find(|(name, _)| *name == self.text) {
            Some((_, choice)) => {
                *target = *choice;
                Ok(())
            }
            None => {
                let names = choices
                    .iter()
                    .filter(|(name, _)| !name.is_empty())
                    .map(|(name, _)| format!("`{name}`"));
                Err(self.invalid(names.collect::<Vec<_>>().join(" or ")))
            }
        }
    }

    fn invalid(&self, expected: impl Into<String>) -> Error {
        Error::OptionValue {
            key: self.key.to_owned(),
            value: self.text.to_owned(),
            expected: expected.into(),
        }
    }
}

fn read_extern_path(options: &mut RustOptions, value: &Value<'_>) -> Result<(), Error> {
    let paths = value
        .text
        .split_once('=')
        .filter(|(proto, rust)| is_proto_path(proto) && is_root(rust));
    let (proto, rust) =
        paths.ok_or_else(|| value.invalid("`.package=::rust::path` or `.package=crate::path`"))?;
    options
        .extern_paths
        .insert(proto.to_owned(), rust.to_owned());
    Ok(())
}

/// Returns true for `.package.Type`: a leading dot, then identifiers.
fn is_proto_path(path: &str) -> bool {
    path.strip_prefix('.')
        .is_some_and(|path| path.split('.').all(crate::name::is_identifier))
}

/// Returns true for a Rust path that means the same in every module.
fn is_root(path: &str) -> bool {
    let rooted = path.starts_with("::") || path == "crate" || path.starts_with("crate::");
    rooted
        && syn::parse_str::<syn::Path>(path)
            .is_ok_and(|path| path.segments.iter().all(|part| part.arguments.is_none()))
}

/// Returns the most similar option as a suggestion, or the list of all options.
fn hint(key: &str) -> String {
    let names = KEYS.iter().map(|spec| spec.name);
    match names.clone().map(|name| (distance(key, name), name)).min() {
        Some((distance, name)) if distance <= 2 => format!(", did you mean `{name}`?"),
        _ => format!(
            ", expected one of {}",
            names
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

/// Returns the Levenshtein distance of two words.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.chars().enumerate() {
            let exchanged = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[row.len() - 1]
}
