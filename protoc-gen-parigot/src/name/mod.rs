//! Names in Rust and Go, made of the names in the `.proto`. No other module spells names.
//!
//! | `.proto` | Rust |
//! |---|---|
//! | service `Greeting` | trait `Greeting`, module `greeting`, `GreetingServer`, `GreetingClient` |
//! | the same, if one of the four is taken | `GreetingService`, `greeting_service`, … |
//! | method `FetchGreeting` | function `fetch_greeting`, wire type `FetchGreeting` |
//! | method `Locate`, and all of [`CLIENT_FUNCTIONS`] | `locate_`: each client has a `locate` |
//! | message `type_name`, enum `HTTPCode` | `TypeName`, `HttpCode`, as prost spells them |
//! | package `greeting.v1` | module `greeting::v1`, file `greeting.v1.rs` |
//! | package `mod`; no package | file `mod_.rs`; file `_.rs` |
//! | a keyword: method `Type`, service `Match` | `r#type`, module `r#match` |
//! | a keyword that cannot be raw: `Self`, `super` | `Self_`, `super_` |
//! | a digit remains first: `_1` | `_1` |
//!
//! # The errors of a service
//!
//! The errors of a service are the values of a top-level enum of the same package. The enum is
//! named as the service with `Err` appended. If no enum has this name and the service's name ends
//! with `ing`, `er` or `Service`, the ending is removed before `Err` is appended: `Greeting`,
//! `Greeter` and `GreetService` all use `GreetErr`. The full name has precedence: if `GreetingErr`
//! exists, `GreetErr` does not belong to `Greeting`. A service without such an enum fails with
//! `parigot_guest::Status` only.

pub mod go;

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Ident, Span};

/// Functions of every Rust client. A method of the same name gets a trailing underscore.
pub const CLIENT_FUNCTIONS: [&str; 8] = [
    "channel",
    "clone",
    "from_channel",
    "locate",
    "locate_named",
    "with_deadline",
    "with_metadata",
    "with_metadata_bin",
];

/// Names of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName {
    /// Name in the `.proto`: `Greeting`.
    pub proto: String,
    /// Trait to implement.
    pub item: Ident,
    /// Module of the methods.
    pub module: Ident,
    /// Adapter between the event loop and the trait.
    pub server: Ident,
    /// Client.
    pub client: Ident,
}

impl ServiceName {
    /// Returns the names of a service, or `None` if the name has no letters and digits.
    pub fn new(proto: &str) -> Option<Self> {
        Self::with_ending(proto, "")
    }

    /// Returns the names of the same service with `Service` inserted, for when a usual name is
    /// taken.
    pub fn escaped(&self) -> Self {
        Self::with_ending(&self.proto, "Service").expect("the unescaped name must have letters")
    }

    fn with_ending(proto: &str, ending: &str) -> Option<Self> {
        let stem = Some(proto.to_upper_camel_case()).filter(|stem| !stem.is_empty())? + ending;
        Some(Self {
            proto: proto.to_owned(),
            item: ident(&escape(&stem)),
            module: ident(&escape(&stem.to_snake_case())),
            server: ident(&escape(&format!("{stem}Server"))),
            client: ident(&escape(&format!("{stem}Client"))),
        })
    }

    /// Returns the four names that a service takes in the module of its package.
    pub fn rust(&self) -> [String; 4] {
        [&self.item, &self.module, &self.server, &self.client].map(Ident::to_string)
    }

    /// Returns the possible names of the error enum, in order of precedence.
    pub fn error_enums(proto: &str) -> impl Iterator<Item = String> {
        let act = ["ing", "er", "Service"]
            .into_iter()
            .find_map(|ending| proto.strip_suffix(ending));
        [Some(proto), act.filter(|act| !act.is_empty())]
            .into_iter()
            .flatten()
            .map(|stem| format!("{stem}Err"))
    }
}

/// Names of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodName {
    /// Name in the `.proto` and on the wire: `FetchGreeting`.
    pub proto: String,
    /// Function of the trait and the client.
    pub function: Ident,
    /// Type that represents the method on the wire.
    pub item: Ident,
}

impl MethodName {
    /// Returns the names of a method, or `None` if the name has no letters and digits.
    pub fn new(proto: &str) -> Option<Self> {
        let function = match snake(proto)? {
            taken if CLIENT_FUNCTIONS.contains(&taken.as_str()) => format!("{taken}_"),
            free => free,
        };
        Some(Self {
            proto: proto.to_owned(),
            function: ident(&function),
            item: ident(&camel(proto)?),
        })
    }
}

/// Returns the name of a module, field or function, such as `fetch_greeting`, or `None` without
/// letters and digits.
pub fn snake(proto: &str) -> Option<String> {
    Some(proto.to_snake_case())
        .filter(|name| !name.is_empty())
        .map(|name| escape(&name))
}

/// Returns the name of a type or variant, such as `FetchGreeting`, or `None` without letters and
/// digits.
pub fn camel(proto: &str) -> Option<String> {
    Some(proto.to_upper_camel_case())
        .filter(|name| !name.is_empty())
        .map(|name| escape(&name))
}

/// Returns the name of a variant of `enum_name` without the prefix that repeats the enum's name:
/// `COLOR_RED` of `Color` is `Red`.
pub fn variant(enum_name: &str, value: &str) -> Option<String> {
    let name = camel(value)?;
    match name.strip_prefix(&camel(enum_name)?) {
        Some(rest) if rest.starts_with(char::is_uppercase) => Some(escape(rest)),
        _ => Some(name),
    }
}

/// Returns the modules of a package, outermost first.
pub fn modules(package: &str) -> Option<Vec<String>> {
    package
        .split('.')
        .filter(|part| !part.is_empty())
        .map(snake)
        .collect()
}

/// Returns the name of the file of the package with these modules.
pub fn file(modules: &[String]) -> String {
    let plain: Vec<_> = modules
        .iter()
        .map(|module| module.strip_prefix("r#").unwrap_or(module))
        .collect();
    match plain[..] {
        [] => "_.rs".to_owned(),
        ["mod"] => "mod_.rs".to_owned(),
        _ => plain.join(".") + ".rs",
    }
}

/// Returns an identifier for a name that this module has spelled, raw or not.
pub fn ident(name: &str) -> Ident {
    match name.strip_prefix("r#") {
        Some(keyword) => Ident::new_raw(keyword, Span::call_site()),
        None => Ident::new(name, Span::call_site()),
    }
}

/// Returns true if the name is an identifier in a `.proto`.
pub fn is_identifier(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// Escapes a word that is not an identifier, as prost does.
fn escape(word: &str) -> String {
    match word {
        "self" | "Self" | "super" | "crate" | "extern" | "_" => format!("{word}_"),
        _ if word.starts_with(|c: char| c.is_ascii_digit()) => format!("_{word}"),
        _ if KEYWORDS.contains(&word) => format!("r#{word}"),
        _ => word.to_owned(),
    }
}

/// Keywords of all editions, and reserved words.
const KEYWORDS: [&str; 47] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static",
    "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_names_four_items() {
        let name = ServiceName::new("Greeting").expect("the name must have letters");
        assert_eq!(
            name.rust(),
            ["Greeting", "greeting", "GreetingServer", "GreetingClient"]
        );
        assert_eq!(
            name.escaped().rust(),
            [
                "GreetingService",
                "greeting_service",
                "GreetingServiceServer",
                "GreetingServiceClient"
            ]
        );
    }

    #[test]
    fn only_names_that_are_keywords_are_escaped() {
        let check = |proto: &str, expected: [&str; 4]| {
            assert_eq!(
                ServiceName::new(proto)
                    .expect("the name must have letters")
                    .rust(),
                expected
            );
        };
        check("Self", ["Self_", "self_", "SelfServer", "SelfClient"]);
        check("type", ["Type", "r#type", "TypeServer", "TypeClient"]);
    }

    #[test]
    fn a_method_names_a_function_and_a_type() {
        let check = |proto: &str, function: &str, item: &str| {
            let name = MethodName::new(proto).expect("the name must have letters");
            assert_eq!(
                (name.function.to_string(), name.item.to_string()),
                (function.to_owned(), item.to_owned())
            );
        };
        check("FetchGreeting", "fetch_greeting", "FetchGreeting");
        check("type", "r#type", "Type");
        check("self", "self_", "Self_");
        check("Locate", "locate_", "Locate");
        check("Clone", "clone_", "Clone");
        check("_1", "_1", "_1");
        check("GET", "get", "Get");
    }

    #[test]
    fn a_name_without_letters_is_none() {
        assert_eq!(ServiceName::new("_"), None);
        assert_eq!(MethodName::new("__"), None);
        assert_eq!(variant("Color", "_"), None);
    }

    #[test]
    fn error_enums_follow_the_service_name() {
        let check = |service: &str, expected: &[&str]| {
            assert_eq!(
                ServiceName::error_enums(service).collect::<Vec<_>>(),
                expected,
                "{service}"
            );
        };
        check("Greeting", &["GreetingErr", "GreetErr"]);
        check("Greeter", &["GreeterErr", "GreetErr"]);
        check("GreetService", &["GreetServiceErr", "GreetErr"]);
        check("Kitchen", &["KitchenErr"]);
        check("Service", &["ServiceErr"]);
    }

    #[test]
    fn a_variant_leaves_out_the_enums_name() {
        let check = |value: &str, expected: &str| {
            assert_eq!(variant("Color", value).as_deref(), Some(expected))
        };
        check("COLOR_RED", "Red");
        check("COLORFUL", "Colorful");
        check("Blue", "Blue");
        check("COLOR_SELF", "Self_");
        check("COLOR_1", "Color1");
    }

    #[test]
    fn a_file_is_named_after_its_package() {
        let check = |package: &str, expected: &str| {
            assert_eq!(
                file(&modules(package).expect("the name must have letters")),
                expected
            );
        };
        check("greeting.v1", "greeting.v1.rs");
        check("Types.async", "types.async.rs");
        check("mod", "mod_.rs");
        check("", "_.rs");
    }

    #[test]
    fn every_escaped_name_is_an_identifier() {
        for word in KEYWORDS
            .into_iter()
            .chain(["self", "Self", "super", "crate", "extern", "1", "union"])
        {
            assert!(
                syn::parse_str::<syn::Ident>(&escape(word)).is_ok(),
                "{word}"
            );
        }
    }
}
