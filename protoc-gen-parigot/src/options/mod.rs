//! `--parigot_opt`: the options of a run.
//!
//! Options are separated by commas, or given by several `--parigot_opt`. A yes-or-no option may stand bare. A comma that is part
//! of a value has a backslash before it.
//!
//! | option | values | meaning |
//! |---|---|---|
//! | `lang` | `rust`, `go` | the language to generate |
//! | `streaming` | `refuse`, `skip` | methods that stream are mistakes, or left out |
//!
//! Those of `lang=rust`; to give one to another language is a mistake:
//!
//! | option | values | meaning |
//! |---|---|---|
//! | `messages` | `prost`, `external` | messages are generated with the stubs, or lie where an `extern_path` says |
//! | `mod_file` | `true`, `false` | write `mod.rs`, which nests the packages, or leave that to be done by hand |
//! | `extern_path` | `.pkg=::path` | types below `.pkg` lie below the path, not generated; may be repeated |
//!
//! A path begins with `::` or `crate::`. Those of `google.protobuf` and of `parigot.v1.Id` are set, and may be set again.
//!
//! Those of `lang=go`, which are protoc-gen-go's:
//!
//! | option | values | meaning |
//! |---|---|---|
//! | `paths` | `import`, `source_relative` | files lie in a folder named after the import path, or beside their `.proto` |
//! | `module` | `module/path` | the start of the import path that is left out of that folder's name |
//! | `M<file>` | `import/path;name` | the package of a `.proto`, in place of its `go_package`; either part may be missing |

mod go;

use std::collections::BTreeMap;

pub use self::go::{GoOptions, Mapping, Paths};
use crate::error::Error;

/// The options of a run, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The language to generate.
    pub language: Language,
    /// What becomes of methods that stream.
    pub streaming: Streaming,
    /// What counts for Rust alone.
    pub rust: RustOptions,
    /// What counts for Go alone.
    pub go: GoOptions,
}

/// A language that can be generated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// `lang=rust`
    #[default]
    Rust,
    /// `lang=go`
    Go,
}

/// What becomes of methods that stream, which no language has yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Streaming {
    /// They are mistakes.
    #[default]
    Refuse,
    /// They are left out.
    Skip,
}

/// The options of `lang=rust`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RustOptions {
    /// Who makes the messages.
    pub messages: Messages,
    /// Whether `mod.rs` is written.
    pub mod_file: bool,
    /// From `.google.protobuf` to `::parigot_guest::prost_types`, say; the longest prefix decides.
    pub extern_paths: BTreeMap<String, String>,
}

/// Who makes the messages and enums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// This plugin, with prost.
    Prost,
    /// Somebody else, at the paths given by `extern_path`.
    External,
}

/// An option that there is.
struct Key {
    name: &'static str,
    /// The language that it is for, or all of them.
    language: Option<Language>,
    /// Whether it may be given again for another package or file: what stands before the value's `=` must differ.
    repeats: bool,
    /// Reads its value.
    read: fn(&mut Options, &Value<'_>) -> Result<(), Error>,
}

/// A value, and whose it is.
struct Value<'a> {
    key: &'a str,
    text: &'a str,
}

/// Every option there is.
const KEYS: &[Key] = &[
    Key {
        name: "extern_path",
        language: Some(Language::Rust),
        repeats: true,
        read: |options, value| options.rust.add_extern_path(value),
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
    go::PACKAGES,
    Key {
        name: "messages",
        language: Some(Language::Rust),
        repeats: false,
        read: |options, value| {
            value.choose(
                &[("prost", Messages::Prost), ("external", Messages::External)],
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
    go::MODULE,
    go::PATHS,
    Key {
        name: "streaming",
        language: None,
        repeats: false,
        read: |options, value| {
            value.choose(
                &[("refuse", Streaming::Refuse), ("skip", Streaming::Skip)],
                &mut options.streaming,
            )
        },
    },
];

/// The values of a yes-or-no option, which may stand bare.
const YES_OR_NO: &[(&str, bool)] = &[("true", true), ("false", false), ("", true)];

/// Where the types of `google.protobuf` and parigot's own lie; one line each, or prost would take the first for all.
const WELL_KNOWN: [(&str, &str); 12] = [
    (".parigot.v1.Id", "::parigot_guest::proto::Id"),
    (".google.protobuf", "::parigot_guest::prost_types"),
    (".google.protobuf.BoolValue", "bool"),
    (
        ".google.protobuf.BytesValue",
        "::parigot_guest::prost::alloc::vec::Vec<u8>",
    ),
    (".google.protobuf.DoubleValue", "f64"),
    (".google.protobuf.Empty", "()"),
    (".google.protobuf.FloatValue", "f32"),
    (".google.protobuf.Int32Value", "i32"),
    (".google.protobuf.Int64Value", "i64"),
    (
        ".google.protobuf.StringValue",
        "::parigot_guest::prost::alloc::string::String",
    ),
    (".google.protobuf.UInt32Value", "u32"),
    (".google.protobuf.UInt64Value", "u64"),
];

impl Language {
    /// How it is asked for.
    const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
        }
    }
}

impl Default for RustOptions {
    fn default() -> Self {
        Self {
            messages: Messages::Prost,
            mod_file: true,
            extern_paths: WELL_KNOWN
                .map(|(proto, rust)| (proto.to_owned(), rust.to_owned()))
                .into(),
        }
    }
}

impl Options {
    /// Reads the parameter of a request.
    ///
    /// # Errors
    ///
    /// All that is wrong with it: unknown options, values that cannot be used, repetitions, options of another language.
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
        // Which language it is may be said last.
        errors.extend(
            known
                .into_iter()
                .filter_map(|(spec, key)| spec.misplaced(key, options.language)),
        );
        errors.extend(options.go.check().err());
        if errors.is_empty() {
            Ok(options)
        } else {
            Err(errors)
        }
    }
}

/// The options of a parameter: separated by commas, except those behind a backslash, which are part of a value.
fn split(parameter: &str) -> impl Iterator<Item = String> {
    // No argument holds a NUL.
    let hidden = parameter.replace("\\,", "\0");
    let options: Vec<_> = hidden
        .split(',')
        .map(|option| option.trim().replace('\0', ","))
        .collect();
    options.into_iter().filter(|option| !option.is_empty())
}

impl Key {
    /// Whether it is what is called `key`; the name of a file may be part of that.
    fn is(&self, key: &str) -> bool {
        match self.name.strip_suffix("<file>") {
            Some(start) => key.len() > start.len() && key.starts_with(start),
            None => self.name == key,
        }
    }

    /// What must not be said twice: the option, or what a repeatable one is about.
    fn identity(&self, key: &str, value: &str) -> String {
        match value.split_once('=') {
            Some((about, _)) if self.repeats => format!("{key}={about}"),
            _ => key.to_owned(),
        }
    }

    /// The complaint about an option that means nothing to the language that is generated.
    fn misplaced(&self, key: String, generated: Language) -> Option<Error> {
        let language = self.language.filter(|language| *language != generated)?;
        Some(Error::OptionOfLanguage {
            key,
            language: language.name(),
        })
    }
}

impl Value<'_> {
    /// Reads one of several words.
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
                Err(self.refused(names.collect::<Vec<_>>().join(" or ")))
            }
        }
    }

    fn refused(&self, expected: impl Into<String>) -> Error {
        Error::OptionValue {
            key: self.key.to_owned(),
            value: self.text.to_owned(),
            expected: expected.into(),
        }
    }
}

impl RustOptions {
    fn add_extern_path(&mut self, value: &Value<'_>) -> Result<(), Error> {
        let paths = value
            .text
            .split_once('=')
            .filter(|(proto, rust)| is_proto_path(proto) && is_root(rust));
        let (proto, rust) = paths
            .ok_or_else(|| value.refused("`.package=::rust::path` or `.package=crate::path`"))?;
        self.extern_paths.insert(proto.to_owned(), rust.to_owned());
        Ok(())
    }
}

/// `.package.Type`: a leading dot and identifiers.
fn is_proto_path(path: &str) -> bool {
    path.strip_prefix('.')
        .is_some_and(|path| path.split('.').all(crate::name::is_identifier))
}

/// A Rust path that means the same wherever it stands.
fn is_root(path: &str) -> bool {
    let rooted = path.starts_with("::") || path == "crate" || path.starts_with("crate::");
    rooted
        && syn::parse_str::<syn::Path>(path)
            .is_ok_and(|path| path.segments.iter().all(|part| part.arguments.is_none()))
}

/// The option that was probably meant, else all of them.
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

/// How many letters must be put in, left out or exchanged to make one word of the other.
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

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn check_error(parameter: &str, expected: &str) {
        let errors = Options::parse(parameter).expect_err("the parameter is wrong");
        assert_eq!(
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
            expected
        );
    }

    #[test]
    fn nothing_given_is_the_default() {
        assert_eq!(
            Options::parse("").expect("nothing is wrong"),
            Options::default()
        );
        assert_eq!(
            Options::parse(" ,").expect("nothing is wrong"),
            Options::default()
        );
    }

    #[test]
    fn every_option_is_read() {
        let options =
            Options::parse("lang=rust,streaming=skip,messages=external,mod_file=false,extern_path=.a.B=crate::b::B")
                .expect("nothing is wrong");
        assert_eq!(options.streaming, Streaming::Skip);
        assert_eq!(options.rust.messages, Messages::External);
        assert!(!options.rust.mod_file);
        assert_eq!(options.rust.extern_paths[".a.B"], "crate::b::B");
    }

    #[test]
    fn a_bare_key_means_true() {
        assert!(
            Options::parse("mod_file")
                .expect("nothing is wrong")
                .rust
                .mod_file
        );
    }

    #[test]
    fn the_well_known_types_may_be_set_again() {
        let options =
            Options::parse("extern_path=.google.protobuf=::wkt").expect("nothing is wrong");
        assert_eq!(options.rust.extern_paths[".google.protobuf"], "::wkt");
    }

    #[test]
    fn an_unknown_option_is_refused_by_name() {
        check_error(
            "modfile=true",
            "unknown option `modfile`, did you mean `mod_file`?",
        );
        check_error(
            "format=x",
            "unknown option `format`, expected one of `extern_path`, `lang`, `M<file>`, `messages`, `mod_file`, \
             `module`, `paths`, `streaming`",
        );
    }

    #[test]
    fn a_comma_may_be_escaped() {
        check_error(
            "messages=a\\,b,mod_file",
            "option `messages`: found `a,b`, expected `prost` or `external`",
        );
    }

    #[test]
    fn a_value_that_cannot_be_used_is_refused_with_those_that_can() {
        check_error(
            "lang=c",
            "option `lang`: found `c`, expected `rust` or `go`",
        );
        check_error(
            "streaming=later",
            "option `streaming`: found `later`, expected `refuse` or `skip`",
        );
        check_error(
            "messages=buffa",
            "option `messages`: found `buffa`, expected `prost` or `external`",
        );
        check_error(
            "mod_file=no",
            "option `mod_file`: found `no`, expected `true` or `false`",
        );
    }

    #[test]
    fn an_extern_path_must_mean_the_same_everywhere() {
        for value in [
            "",
            "a=::b",
            ".a=b",
            ".a",
            ".a..b=::c",
            ".a=::b<u8>",
            ".a=super::b",
            ".=::a",
        ] {
            check_error(
                &format!("extern_path={value}"),
                &format!(
                    "option `extern_path`: found `{value}`, expected `.package=::rust::path` or `.package=crate::path`"
                ),
            );
        }
    }

    #[test]
    fn everything_wrong_is_said() {
        check_error(
            "mod_file,mod_file=false,extern_path=.a=::b,extern_path=.a=::c,lang=c",
            "option `mod_file` is given twice\n\
             option `extern_path=.a` is given twice\n\
             option `lang`: found `c`, expected `rust` or `go`",
        );
    }
}
