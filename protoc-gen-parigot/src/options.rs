//! `--parigot_opt`: the options of a run.
//!
//! Options are separated by commas, or given by several `--parigot_opt`. A yes-or-no option may stand bare.
//!
//! | option | values | meaning |
//! |---|---|---|
//! | `lang` | `rust` | the language to generate |
//! | `messages` | `prost`, `external` | messages are generated with the stubs, or lie where an `extern_path` says |
//! | `mod_file` | `true`, `false` | write `mod.rs`, which nests the packages, or leave that to be done by hand |
//! | `extern_path` | `.pkg=::path` | types below `.pkg` lie below the path, not generated; may be repeated |
//!
//! A path begins with `::` or `crate::`. Those of `google.protobuf` are set, and may be set again.

use std::collections::BTreeMap;

use crate::error::Error;

/// The options of a run, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The language to generate.
    pub language: Language,
    /// Who makes the messages.
    pub messages: Messages,
    /// Whether `mod.rs` is written.
    pub mod_file: bool,
    /// From `.google.protobuf` to `::parigot_guest::prost_types`; the longest prefix decides.
    pub extern_paths: BTreeMap<String, String>,
}

/// A language that can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `lang=rust`
    Rust,
}

/// Who makes the messages and enums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// This plugin, with prost.
    Prost,
    /// Somebody else, at the paths given by `extern_path`.
    External,
}

/// How one option is read: its name, and what its value does.
type Reader = fn(&mut Options, &str) -> Result<(), Error>;

/// Every option there is.
const TABLE: [(&str, Reader); 4] = [
    ("extern_path", |options, value| options.add_extern_path(value)),
    ("lang", |options, value| {
        options.language = choice("lang", value, &[("rust", Language::Rust)])?;
        Ok(())
    }),
    ("messages", |options, value| {
        options.messages = choice("messages", value, &[("prost", Messages::Prost), ("external", Messages::External)])?;
        Ok(())
    }),
    ("mod_file", |options, value| {
        options.mod_file = choice("mod_file", value, &[("true", true), ("false", false), ("", true)])?;
        Ok(())
    }),
];

/// The option that may be repeated, because each time it is about another package.
const REPEATABLE: &str = "extern_path";

/// Where the types of `google.protobuf` lie; one line each, or prost would take the first for all.
const WELL_KNOWN: [(&str, &str); 11] = [
    (".google.protobuf", "::parigot_guest::prost_types"),
    (".google.protobuf.BoolValue", "bool"),
    (".google.protobuf.BytesValue", "::parigot_guest::prost::alloc::vec::Vec<u8>"),
    (".google.protobuf.DoubleValue", "f64"),
    (".google.protobuf.Empty", "()"),
    (".google.protobuf.FloatValue", "f32"),
    (".google.protobuf.Int32Value", "i32"),
    (".google.protobuf.Int64Value", "i64"),
    (".google.protobuf.StringValue", "::parigot_guest::prost::alloc::string::String"),
    (".google.protobuf.UInt32Value", "u32"),
    (".google.protobuf.UInt64Value", "u64"),
];

impl Default for Options {
    fn default() -> Self {
        Self {
            language: Language::Rust,
            messages: Messages::Prost,
            mod_file: true,
            extern_paths: WELL_KNOWN.map(|(proto, rust)| (proto.to_owned(), rust.to_owned())).into(),
        }
    }
}

impl Options {
    /// Reads the parameter of a request.
    ///
    /// # Errors
    ///
    /// All that is wrong with it: unknown options, values that cannot be used, repetitions.
    pub fn parse(parameter: &str) -> Result<Self, Vec<Error>> {
        let mut options = Self::default();
        let mut errors = Vec::new();
        let mut seen = Vec::new();
        for option in parameter.split(',').map(str::trim).filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            let identity = identity(key, value);
            if seen.contains(&identity) {
                errors.push(Error::RepeatedOption { key: identity });
            } else {
                errors.extend(options.read(key, value).err());
                seen.push(identity);
            }
        }
        if errors.is_empty() { Ok(options) } else { Err(errors) }
    }

    fn read(&mut self, key: &str, value: &str) -> Result<(), Error> {
        match TABLE.iter().find(|(name, _)| *name == key) {
            Some((_, read)) => read(self, value),
            None => Err(Error::UnknownOption { key: key.to_owned(), hint: hint(key) }),
        }
    }

    fn add_extern_path(&mut self, value: &str) -> Result<(), Error> {
        let Some((proto, rust)) = value.split_once('=').filter(|(proto, rust)| is_proto_path(proto) && is_root(rust))
        else {
            return Err(Error::OptionValue {
                key: REPEATABLE.to_owned(),
                value: value.to_owned(),
                expected: "`.package=::rust::path` or `.package=crate::path`".to_owned(),
            });
        };
        self.extern_paths.insert(proto.to_owned(), rust.to_owned());
        Ok(())
    }
}

/// What must not be said twice: the option, or the package of a repeatable one.
fn identity(key: &str, value: &str) -> String {
    match value.split_once('=') {
        Some((package, _)) if key == REPEATABLE => format!("{key}={package}"),
        _ => key.to_owned(),
    }
}

fn choice<T: Copy>(key: &str, value: &str, choices: &[(&str, T)]) -> Result<T, Error> {
    match choices.iter().find(|(name, _)| *name == value) {
        Some((_, choice)) => Ok(*choice),
        None => {
            let names: Vec<_> =
                choices.iter().filter(|(name, _)| !name.is_empty()).map(|(name, _)| format!("`{name}`")).collect();
            Err(Error::OptionValue { key: key.to_owned(), value: value.to_owned(), expected: names.join(" or ") })
        }
    }
}

/// `.package.Type`: a leading dot and identifiers.
fn is_proto_path(path: &str) -> bool {
    path.strip_prefix('.').is_some_and(|path| path.split('.').all(crate::name::is_identifier))
}

/// A Rust path that means the same wherever it stands.
fn is_root(path: &str) -> bool {
    let rooted = path.starts_with("::") || path == "crate" || path.starts_with("crate::");
    rooted
        && syn::parse_str::<syn::Path>(path).is_ok_and(|path| path.segments.iter().all(|part| part.arguments.is_none()))
}

/// The option that was probably meant, else all of them.
fn hint(key: &str) -> String {
    let nearest = TABLE.iter().map(|(name, _)| (distance(key, name), *name)).min();
    match nearest {
        Some((distance, name)) if distance <= 2 => format!(", did you mean `{name}`?"),
        _ => format!(", expected one of {}", TABLE.map(|(name, _)| format!("`{name}`")).join(", ")),
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

    fn check_error(parameter: &str, expected: &str) {
        let errors = Options::parse(parameter).expect_err("the parameter is wrong");
        assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), expected);
    }

    #[test]
    fn nothing_given_is_the_default() {
        assert_eq!(Options::parse("").expect("nothing is wrong"), Options::default());
        assert_eq!(Options::parse(" ,").expect("nothing is wrong"), Options::default());
    }

    #[test]
    fn every_option_is_read() {
        let options = Options::parse("lang=rust,messages=external,mod_file=false,extern_path=.a.B=crate::b::B")
            .expect("nothing is wrong");
        assert_eq!(options.messages, Messages::External);
        assert!(!options.mod_file);
        assert_eq!(options.extern_paths[".a.B"], "crate::b::B");
    }

    #[test]
    fn a_bare_key_means_true() {
        assert!(Options::parse("mod_file").expect("nothing is wrong").mod_file);
    }

    #[test]
    fn the_well_known_types_may_be_set_again() {
        let options = Options::parse("extern_path=.google.protobuf=::wkt").expect("nothing is wrong");
        assert_eq!(options.extern_paths[".google.protobuf"], "::wkt");
    }

    #[test]
    fn an_unknown_option_is_refused_by_name() {
        check_error("modfile=true", "unknown option `modfile`, did you mean `mod_file`?");
        check_error("paths=x", "unknown option `paths`, expected one of `extern_path`, `lang`, `messages`, `mod_file`");
    }

    #[test]
    fn a_value_that_cannot_be_used_is_refused_with_those_that_can() {
        check_error("lang=go", "option `lang`: found `go`, expected `rust`");
        check_error("messages=buffa", "option `messages`: found `buffa`, expected `prost` or `external`");
        check_error("mod_file=no", "option `mod_file`: found `no`, expected `true` or `false`");
    }

    #[test]
    fn an_extern_path_must_mean_the_same_everywhere() {
        for value in ["", "a=::b", ".a=b", ".a", ".a..b=::c", ".a=::b<u8>", ".a=super::b", ".=::a"] {
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
             option `lang`: found `c`, expected `rust`",
        );
    }
}
