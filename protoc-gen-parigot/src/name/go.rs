//! Names in Go. Those of messages and enums are protoc-gen-go's, for they lie in the same package.

/// What every implementation of a service has, and what `go vet` wants to have another signature: a method of such a
/// name gets a trailing underscore.
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

/// The names of a service, all of them in its package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoServiceName {
    /// `Greeting`, in the `.proto`.
    pub proto: String,
    /// `Greeting`, the interface to implement.
    pub item: String,
    /// `greetingService`, the table.
    pub table: String,
    /// `GreetingClient`, the interface to call.
    pub client: String,
    /// `greetingClient`, what implements that.
    pub caller: String,
    /// `LocateGreeting`
    pub locate: String,
    /// `MustLocateGreeting`
    pub must_locate: String,
    /// `RequireGreeting`
    pub require: String,
    /// `ExportGreeting`
    pub export: String,
    /// `RunGreeting`
    pub run: String,
}

impl GoServiceName {
    /// The usual names of a service.
    pub fn new(proto: &str) -> Self {
        Self::with_ending(proto, "")
    }

    /// The names of the same service where one of the usual ones is taken.
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
            require: format!("Require{item}"),
            export: format!("Export{item}"),
            run: format!("Run{item}"),
            item,
        }
    }

    /// The names of one of its methods.
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

    /// What the service takes in its package, save the names of its methods.
    pub fn all(&self) -> [&str; 9] {
        let Self {
            proto: _,
            item,
            table,
            client,
            caller,
            locate,
            must_locate,
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
            require,
            export,
            run,
        ]
        .map(String::as_str)
    }
}

/// The names of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoMethodName {
    /// `FetchGreeting`, in the `.proto` and on the wire.
    pub proto: String,
    /// `FetchGreeting`, the method of both interfaces.
    pub function: String,
    /// `GreetingFetchGreetingFuture`
    pub future: String,
    /// `GreetingFetchGreetingDone`
    pub done: String,
}

/// `fetch_greeting` and `FetchGreeting` are `FetchGreeting`, `Outer.Inner` is `Outer_Inner`: protogen's `GoCamelCase`.
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
            // Whatever follows a letter in lower case is of the same word, hence is no beginning.
            _ if before.is_ascii_alphabetic() && letter.is_ascii_lowercase() => camel.push(letter),
            _ => camel.push(letter.to_ascii_uppercase()),
        }
        before = letter;
    }
    camel
}

/// The message or enum of this full name in the Go package of its file.
pub fn type_name(full_name: &str, package: &str) -> String {
    camel(
        full_name
            .strip_prefix(package)
            .and_then(|name| name.strip_prefix('.'))
            .unwrap_or(full_name),
    )
}

/// Makes an identifier of any word: protogen's `GoSanitized`.
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

/// Whether a package can have this name.
pub fn is_package(name: &str) -> bool {
    name != "_" && super::is_identifier(name) && !KEYWORDS.contains(&name)
}

/// Whether an import can have this name in a file that declares what generated code declares.
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

/// The packages that every generated file imports, and what its functions call their parameters and variables.
const OF_GENERATED_FILES: [&str; 14] = [
    "c", "channel", "client", "context", "ctx", "e", "err", "future", "impl", "in", "out",
    "parigot", "requires", "time",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of protogen's own test, and more.
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
    fn a_method_names_a_function_a_future_and_what_completes_it() {
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
    fn a_type_is_named_by_all_that_it_lies_in() {
        assert_eq!(type_name("a.b.Outer.Inner", "a.b"), "Outer_Inner");
        assert_eq!(type_name("Outer.inner", ""), "OuterInner");
    }
}
