//! Names in Go. Messages and enums are named as protoc-gen-go names them, because they are in the
//! same package.

/// Method names that get a trailing underscore: `Ready`, which every implementation of a service
/// has, and methods for which `go vet` expects another signature.
pub const TAKEN_METHODS: [&str; 12] = [
    "GobDecode",
    "GobEncode",
    "MarshalJSON",
    "MarshalXML",
    "ReadByte",
    "ReadRune",
    "Ready",
    "UnmarshalJSON",
    "UnmarshalXML",
    "UnreadByte",
    "UnreadRune",
    "WriteByte",
];

/// Names of a service, all of them in its package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoServiceName {
    /// Name in the `.proto`: `Greeting`.
    pub proto: String,
    /// Interface to implement: `Greeting`.
    pub item: String,
    /// Table of the service: `greetingService`.
    pub table: String,
    /// Interface to call: `GreetingClient`.
    pub client: String,
    /// Type that implements the client: `greetingClient`.
    pub caller: String,
    /// `LocateGreeting`
    pub locate: String,
    /// `MustLocateGreeting`
    pub must_locate: String,
    /// `LocateGreetingNamed`
    pub locate_named: String,
    /// `RequireGreeting`
    pub require: String,
    /// `ExportGreeting`
    pub export: String,
    /// `RunGreeting`
    pub run: String,
}

impl GoServiceName {
    /// Returns the usual names of a service.
    pub fn new(proto: &str) -> Self {
        Self::with_ending(proto, "")
    }

    /// Returns the names of the same service with `Service` inserted, for when a usual name is
    /// taken.
    pub fn escaped(&self) -> Self {
        Self::with_ending(&self.proto, "Service")
    }

    fn with_ending(proto: &str, ending: &str) -> Self {
        let item = camel(proto) + ending;
        let unexported = item[..1].to_ascii_lowercase() + &item[1..];
        Self {
            proto: proto.to_owned(),
            table: format!("{unexported}Service"),
            client: format!("{item}Client"),
            caller: format!("{unexported}Client"),
            locate: format!("Locate{item}"),
            must_locate: format!("MustLocate{item}"),
            locate_named: format!("Locate{item}Named"),
            require: format!("Require{item}"),
            export: format!("Export{item}"),
            run: format!("Run{item}"),
            item,
        }
    }

    /// Returns the names of one of the methods.
    pub fn method(&self, proto: &str) -> GoMethodName {
        let name = camel(proto);
        let taken = TAKEN_METHODS.contains(&name.as_str());
        GoMethodName {
            proto: proto.to_owned(),
            future: format!("{}{name}Future", self.item),
            done: format!("{}{name}Done", self.item),
            function: if taken { name + "_" } else { name },
        }
    }

    /// Returns all names that the service takes in its package, except those of its methods.
    pub fn all(&self) -> [&str; 10] {
        let Self {
            proto: _,
            item,
            table,
            client,
            caller,
            locate,
            must_locate,
            locate_named,
            require,
            export,
            run,
        } = self;
        [
            item,
            table,
            client,
            caller,
            locate,
            must_locate,
            locate_named,
            require,
            export,
            run,
        ]
        .map(String::as_str)
    }
}

/// Names of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoMethodName {
    /// Name in the `.proto` and on the wire: `FetchGreeting`.
    pub proto: String,
    /// Method of both interfaces: `FetchGreeting`.
    pub function: String,
    /// `GreetingFetchGreetingFuture`
    pub future: String,
    /// `GreetingFetchGreetingDone`
    pub done: String,
}

/// Returns a name in camel case, as protogen's `GoCamelCase` does: `fetch_greeting` and
/// `FetchGreeting` become `FetchGreeting`, `Outer.Inner` becomes `Outer_Inner`.
pub fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut before = '.';
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let small_follows = letters.peek().is_some_and(char::is_ascii_lowercase);
        match letter {
            '.' | '_' if small_follows && !(letter == '_' && before == '.') => {}
            '.' => camel.push('_'),
            '_' if before == '.' => camel.push('X'),
            // A lower-case letter after a letter continues the word.
            _ if before.is_ascii_alphabetic() && letter.is_ascii_lowercase() => camel.push(letter),
            _ => camel.push(letter.to_ascii_uppercase()),
        }
        before = letter;
    }
    camel
}

/// Returns the name of a message or enum in the Go package of its file.
pub fn type_name(full_name: &str, package: &str) -> String {
    camel(
        full_name
            .strip_prefix(package)
            .and_then(|name| name.strip_prefix('.'))
            .unwrap_or(full_name),
    )
}

/// Makes an identifier of any word, as protogen's `GoSanitized` does.
pub fn sanitize(word: &str) -> String {
    let word: String = word
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '_' })
        .collect();
    if word.starts_with(char::is_alphabetic) && !KEYWORDS.contains(&word.as_str()) {
        word
    } else {
        format!("_{word}")
    }
}

/// Returns true if a package can have this name.
pub fn is_package(name: &str) -> bool {
    name != "_" && super::is_identifier(name) && !KEYWORDS.contains(&name)
}

/// Returns true if an import can have this name without hiding a declaration of a generated file.
pub fn is_free(alias: &str) -> bool {
    !PREDECLARED.contains(&alias) && !OF_GENERATED_FILES.contains(&alias)
}

const KEYWORDS: [&str; 25] = [
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "fallthrough",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "package",
    "range",
    "return",
    "select",
    "struct",
    "switch",
    "type",
    "var",
];

const PREDECLARED: [&str; 45] = [
    "any",
    "append",
    "bool",
    "byte",
    "cap",
    "clear",
    "close",
    "comparable",
    "complex",
    "complex128",
    "complex64",
    "copy",
    "delete",
    "error",
    "false",
    "float32",
    "float64",
    "imag",
    "init",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "iota",
    "len",
    "make",
    "max",
    "min",
    "new",
    "nil",
    "panic",
    "print",
    "println",
    "real",
    "recover",
    "rune",
    "string",
    "true",
    "uint",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "uintptr",
];

/// Packages that every generated file imports, and the parameters and variables of generated
/// functions.
const OF_GENERATED_FILES: [&str; 14] = [
    "c", "channel", "client", "context", "ctx", "e", "err", "future", "impl", "in", "out",
    "parigot", "requires", "time",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of protogen's own test, and others.
    #[test]
    fn names_are_spelled_as_protogen_spells_them() {
        let check = |name: &str, expected: &str| assert_eq!(camel(name), expected, "{name}");
        for (name, expected) in [
            ("", ""),
            ("one", "One"),
            ("one_two", "OneTwo"),
            ("_my_field_name_2", "XMyFieldName_2"),
            ("Something_Capped", "Something_Capped"),
            ("my_Name", "My_Name"),
            ("OneTwo", "OneTwo"),
            ("_", "X"),
            ("_a_", "XA_"),
            ("one.two", "OneTwo"),
            ("one.Two", "One_Two"),
            ("one_two.three_four", "OneTwoThreeFour"),
            ("one_two.Three_four", "OneTwo_ThreeFour"),
            ("_one._two", "XOne_XTwo"),
            ("SCREAMING_SNAKE_CASE", "SCREAMING_SNAKE_CASE"),
            ("double__underscore", "Double_Underscore"),
            ("camelCase", "CamelCase"),
            ("go2proto", "Go2Proto"),
            ("x_1a", "X_1A"),
        ] {
            check(name, expected);
        }
    }

    #[test]
    fn any_word_makes_an_identifier() {
        let check = |word: &str, expected: &str| assert_eq!(sanitize(word), expected, "{word}");
        check("greeting", "greeting");
        check("my-pkg.v2", "my_pkg_v2");
        check("2nd", "_2nd");
        check("go", "_go");
        check("_x", "__x");
        check(".", "__");
        check("", "_");
    }

    #[test]
    fn a_service_names_nine_items() {
        let name = GoServiceName::new("greeting");
        let expected = [
            "Greeting",
            "greetingService",
            "GreetingClient",
            "greetingClient",
            "LocateGreeting",
            "MustLocateGreeting",
            "LocateGreetingNamed",
            "RequireGreeting",
            "ExportGreeting",
            "RunGreeting",
        ];
        assert_eq!(name.all(), expected);
        assert_eq!(
            name.escaped().all()[..2],
            ["GreetingService", "greetingServiceService"]
        );
    }

    #[test]
    fn a_method_names_a_function_and_two_for_its_future() {
        let check = |proto: &str, expected: [&str; 3]| {
            let GoMethodName {
                function,
                future,
                done,
                ..
            } = GoServiceName::new("S").method(proto);
            assert_eq!([function.as_str(), &future, &done], expected);
        };
        check(
            "fetch_greeting",
            [
                "FetchGreeting",
                "SFetchGreetingFuture",
                "SFetchGreetingDone",
            ],
        );
        check("Ready", ["Ready_", "SReadyFuture", "SReadyDone"]);
        check("ready", ["Ready_", "SReadyFuture", "SReadyDone"]);
        check("String", ["String", "SStringFuture", "SStringDone"]);
    }

    #[test]
    fn a_type_name_has_the_enclosing_messages() {
        assert_eq!(type_name("a.b.Outer.Inner", "a.b"), "Outer_Inner");
        assert_eq!(type_name("Outer.inner", ""), "OuterInner");
    }
}
