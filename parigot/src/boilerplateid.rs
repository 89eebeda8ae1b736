//! `parigot boilerplateid`: writes a new type of id.

use parigot_abi::id::{Call, Host, IdType, Instance, Method, Service};

use crate::Boilerplateid;

/// The language to write in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// A module for a guest in Rust.
    Rust,
    /// A file of a package for a guest in Go.
    Go,
}

/// What an id is of: `Ticket`, read from `Ticket`, `TicketId` or `TicketID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stem(String);

/// The text of a new type of id.
pub(crate) fn boilerplate(
    Boilerplateid {
        name,
        prefix,
        lang,
        package,
    }: &Boilerplateid,
) -> String {
    match lang {
        Language::Rust => rust(&name.0, prefix),
        Language::Go => go(&name.0, prefix, package),
    }
}

fn rust(stem: &str, prefix: &str) -> String {
    format!(
        "\
// Written by `parigot boilerplateid --lang rust {stem} {prefix}`, and yours from here on.

/// The id of a {stem}.
///
/// `cx.random().id()` makes a new one. `to_string` and `parse` lead to its text form and back, `to_wire` and `from_wire` to two
/// `fixed64` of a message and back.
pub type {stem}Id = ::parigot_guest::id::Id<{stem}IdType>;

/// Makes a [`{stem}Id`] another type than every other id.
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
// Written by `parigot boilerplateid --lang go {stem} {prefix}`, and yours from here on.

package {package}

import \"github.com/parigot/parigot/parigot-guest-go/id\"

// {stem}ID is the id of a {stem}. Its methods String and Wire lead to its text form and to two fixed64 of a message.
type {stem}ID = id.ID[{unexported}ID]

// {unexported}ID makes a {stem}ID another type than every other id.
type {unexported}ID struct{{}}

func ({unexported}ID) Name() string   {{ return \"{stem}ID\" }}
func ({unexported}ID) Prefix() string {{ return \"{prefix}\" }}

// New{stem}ID returns a new id.
func New{stem}ID() {stem}ID {{ return id.New[{unexported}ID]() }}

// Parse{stem}ID reads the text form.
func Parse{stem}ID(text string) ({stem}ID, error) {{ return id.Parse[{unexported}ID](text) }}

// {stem}IDFromWire reads the two fixed64 of a message.
func {stem}IDFromWire(high, low uint64) ({stem}ID, error) {{ return id.FromWire[{unexported}ID](high, low) }}
"
    )
}

/// `purchaseOrder` for `PurchaseOrder`.
fn unexported(stem: &str) -> String {
    stem[..1].to_ascii_lowercase() + &stem[1..]
}

/// Reads what an id is of.
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
        Err("expected a name such as Ticket or PurchaseOrder: letters and digits, the first a capital".into())
    }
}

/// Reads a prefix that no id of parigot's own has.
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
        Some((_, owner)) => Err(format!("it is that of parigot's own {owner}")),
        None => Ok(prefix.to_owned()),
    }
}

/// The prefixes of parigot's own ids, and their names.
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

/// Reads the name of a Go package.
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
