//! `parigot boilerplateid`: writes the code of a new id type.

use parigot_abi::id::{Call, Host, IdType, Instance, Method, Service};

/// Language of the generated code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// A module for a guest in Rust.
    Rust,
    /// A file of a package for a guest in Go.
    Go,
}

/// Stem of the type's name: `Ticket`, parsed from `Ticket`, `TicketId` or `TicketID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stem(String);

/// Returns the code of a new id type; `package` is for Go alone.
pub(crate) fn boilerplate(name: &Stem, prefix: &str, lang: Language, package: &str) -> String {
    match lang {
        Language::Rust => rust(&name.0, prefix),
        Language::Go => go(&name.0, prefix, package),
    }
}

fn rust(stem: &str, prefix: &str) -> String {
    format!(
        "\
// Written by `parigot boilerplateid --lang rust {stem} {prefix}`; edit it as you like.

/// Id of one {stem}.
///
/// `cx.random().id()` creates one. `to_string` and `parse` convert to and from text, `to_wire` and
/// `from_wire` to and from two `fixed64` of a message.
pub type {stem}Id = ::parigot_guest::id::Id<{stem}IdType>;

/// Marker that gives [`{stem}Id`] a type of its own.
#[derive(Debug)]
pub enum {stem}IdType {{}}

impl ::parigot_guest::id::IdType for {stem}IdType {{
    const NAME: &'static str = \"{stem}Id\";
    const PREFIX: &'static str = \"{prefix}\";
}}
"
    )
}

fn go(stem: &str, prefix: &str, package: &str) -> String {
    let unexported = unexported(stem);
    format!(
        "\
// Written by `parigot boilerplateid --lang go {stem} {prefix}`; edit it as you like.

package {package}

import \"github.com/parigot/parigot/parigot-guest-go/id\"

// {stem}ID is the id of one {stem}. Its methods String and Wire lead to its text form and to two
// fixed64 of a message.
type {stem}ID = id.ID[{unexported}ID]

// {unexported}ID is a marker that gives {stem}ID a type of its own.
type {unexported}ID struct{{}}

func ({unexported}ID) Name() string   {{ return \"{stem}ID\" }}
func ({unexported}ID) Prefix() string {{ return \"{prefix}\" }}

// New{stem}ID returns a new id.
func New{stem}ID() {stem}ID {{ return id.New[{unexported}ID]() }}

// Parse{stem}ID parses the text form.
func Parse{stem}ID(text string) ({stem}ID, error) {{ return id.Parse[{unexported}ID](text) }}

// {stem}IDFromWire converts two fixed64 of a message.
func {stem}IDFromWire(high, low uint64) ({stem}ID, error) {{
	return id.FromWire[{unexported}ID](high, low)
}}
"
    )
}

/// Returns `purchaseOrder` for `PurchaseOrder`.
fn unexported(stem: &str) -> String {
    stem[..1].to_ascii_lowercase() + &stem[1..]
}

/// Parses the stem of an id type's name.
pub(crate) fn stem(name: &str) -> Result<Stem, String> {
    let stem = name
        .strip_suffix("Id")
        .or_else(|| name.strip_suffix("ID"))
        .unwrap_or(name);
    let is_name = stem.starts_with(|c: char| c.is_ascii_uppercase())
        && stem.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_name {
        Ok(Stem(stem.to_owned()))
    } else {
        Err(
            "expected a name such as Ticket or PurchaseOrder: letters and digits, the first a \
             capital"
                .into(),
        )
    }
}

/// Parses a prefix and refuses those of parigot's own ids.
pub(crate) fn prefix(prefix: &str) -> Result<String, String> {
    let is_prefix = (1..=3).contains(&prefix.len())
        && prefix.starts_with(|c: char| c.is_ascii_lowercase())
        && prefix
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !is_prefix {
        return Err("expected one to three of a-z and 0-9, the first a letter".into());
    }
    match owners().into_iter().find(|(taken, _)| *taken == prefix) {
        Some((_, owner)) => Err(format!("already used by parigot's own {owner}")),
        None => Ok(prefix.to_owned()),
    }
}

/// Returns the prefixes of parigot's own ids, and the names of their types.
fn owners() -> [(&'static str, &'static str); 5] {
    const fn owner<T: IdType>() -> (&'static str, &'static str) {
        (T::PREFIX, T::NAME)
    }
    [
        owner::<Host>(),
        owner::<Service>(),
        owner::<Method>(),
        owner::<Call>(),
        owner::<Instance>(),
    ]
}

/// Parses the name of a Go package.
pub(crate) fn package(name: &str) -> Result<String, String> {
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if is_name {
        Ok(name.to_owned())
    } else {
        Err("expected a name of a-z, 0-9 and _, the first a letter".into())
    }
}
