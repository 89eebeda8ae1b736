//! Names: one of the `.proto`, and what each language makes of it. They are spelled here and nowhere else.
//!
//! | `.proto` | Rust |
//! |---|---|
//! | service `Greeting` | trait `Greeting`, module `greeting`, `GreetingServer`, `GreetingClient` |
//! | the same, where one of the four is taken | `GreetingService`, `greeting_service`, `GreetingServiceServer`, … |
//! | method `FetchGreeting` | function `fetch_greeting`, wire type `FetchGreeting` |
//! | method `Locate`, and all of [`CLIENT_FUNCTIONS`] | function `locate_`: every client has a `locate` of its own |
//! | message `type_name`, enum `HTTPCode` | `TypeName`, `HttpCode`, as prost spells them |
//! | package `greeting.v1` | module `greeting::v1`, file `greeting.v1.rs` |
//! | package `mod`; no package | file `mod_.rs`; file `_.rs` |
//! | a keyword: method `Type`, service `Match` | `r#type`, module `r#match` |
//! | a keyword that cannot be raw: `Self`, `super` | `Self_`, `super_` |
//! | a leading digit is left: `_1` | `_1` |
//!
//! # The errors of a service
//!
//! A service's own errors are the values of a top-level enum of its package: the one named as the service with `Err`
//! after it. Without one of that name, a service that is named for what it does, with the ending `ing`, `er` or
//! `Service`, has the enum that is named for the act: the errors of `Greeting`, `Greeter` and `GreetService` alike are
//! `GreetErr`. The full name goes first: beside `GreetingErr`, `GreetErr` is no business of `Greeting`'s. A service
//! that has neither fails with `parigot_guest::Status` alone.

pub mod go;

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Ident, Span};

/// Functions that every Rust client has: a method that would hide one gets a trailing underscore.
pub const CLIENT_FUNCTIONS: [&str; 6] = [
    "channel",
    "clone",
    "from_channel",
    "locate",
    "with_deadline",
    "with_metadata",
];

/// The names of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceName {
    /// `Greeting`, in the `.proto`.
    pub proto: String,
    /// The trait.
    pub item: Ident,
    /// The module of its methods.
    pub module: Ident,
    /// The hook into the event loop.
    pub server: Ident,
    /// The client.
    pub client: Ident,
}

impl ServiceName {
    /// The names of a service, or nothing if no letter is left of it in Rust.
    pub fn new(proto: &str) -> Option<Self> {
        Self::with_ending(proto, "")
    }

    /// The names of the same service where one of the usual ones is taken.
    pub fn escaped(&self) -> Self {
        Self::with_ending(&self.proto, "Service").expect("the unescaped name has letters")
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

    /// The four names that a service takes in its package's module.
    pub fn rust(&self) -> [String; 4] {
        [&self.item, &self.module, &self.server, &self.client].map(Ident::to_string)
    }

    /// The names that the service's error enum may have, in order of precedence.
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

/// The names of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodName {
    /// `FetchGreeting`, in the `.proto` and on the wire.
    pub proto: String,
    /// The function of trait and client.
    pub function: Ident,
    /// The type that is the method on the wire.
    pub item: Ident,
}

impl MethodName {
    /// The names of a method, or nothing if no letter is left of it in Rust.
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

/// A module, field or function: `fetch_greeting`. Nothing if no letter or digit is left.
pub fn snake(proto: &str) -> Option<String> {
    Some(proto.to_snake_case())
        .filter(|name| !name.is_empty())
        .map(|name| escape(&name))
}

/// A type or variant: `FetchGreeting`. Nothing if no letter or digit is left.
pub fn camel(proto: &str) -> Option<String> {
    Some(proto.to_upper_camel_case())
        .filter(|name| !name.is_empty())
        .map(|name| escape(&name))
}

/// A variant of `enum_name`, without the prefix that repeats the enum's name: `COLOR_RED` of `Color` is `Red`.
pub fn variant(enum_name: &str, value: &str) -> Option<String> {
    let name = camel(value)?;
    match name.strip_prefix(&camel(enum_name)?) {
        Some(rest) if rest.starts_with(char::is_uppercase) => Some(escape(rest)),
        _ => Some(name),
    }
}

/// The modules of a package, outermost first.
pub fn modules(package: &str) -> Option<Vec<String>> {
    package
        .split('.')
        .filter(|part| !part.is_empty())
        .map(snake)
        .collect()
}

/// The file of a package, whose modules are `modules`.
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

/// An identifier that was spelled here, raw or not.
pub fn ident(name: &str) -> Ident {
    match name.strip_prefix("r#") {
        Some(keyword) => Ident::new_raw(keyword, Span::call_site()),
        None => Ident::new(name, Span::call_site()),
    }
}

/// Whether a `.proto` could hold this as a name.
pub fn is_identifier(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// Makes an identifier of a word, as prost does.
fn escape(word: &str) -> String {
    match word {
        "self" | "Self" | "super" | "crate" | "extern" | "_" => format!("{word}_"),
        _ if word.starts_with(|c: char| c.is_ascii_digit()) => format!("_{word}"),
        _ if KEYWORDS.contains(&word) => format!("r#{word}"),
        _ => word.to_owned(),
    }
}

/// The keywords of every edition, and those reserved.
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
        let name = ServiceName::new("Greeting").expect("it has letters");
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
    fn only_the_names_that_are_keywords_are_escaped() {
        let check = |proto: &str, expected: [&str; 4]| {
            assert_eq!(
                ServiceName::new(proto).expect("it has letters").rust(),
                expected
            );
        };
        check("Self", ["Self_", "self_", "SelfServer", "SelfClient"]);
        check("type", ["Type", "r#type", "TypeServer", "TypeClient"]);
    }

    #[test]
    fn a_method_names_a_function_and_a_type() {
        let check = |proto: &str, function: &str, item: &str| {
            let name = MethodName::new(proto).expect("it has letters");
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
    fn the_errors_of_a_service_are_found_by_its_name() {
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
            assert_eq!(file(&modules(package).expect("it has letters")), expected);
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
