use super::*;

fn check_error(parameter: &str, expected: &str) {
    let errors = Options::parse(parameter).expect_err("the parameter must be invalid");
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
fn no_options_mean_the_defaults() {
    assert_eq!(
        Options::parse("").expect("the options must be valid"),
        Options::default()
    );
    assert_eq!(
        Options::parse(" ,").expect("the options must be valid"),
        Options::default()
    );
}

#[test]
fn every_option_is_read() {
    let options = Options::parse(
        "lang=rust,streaming=skip,messages=external,mod_file=false,extern_path=.a.B=crate::b::B",
    )
    .expect("the options must be valid");
    assert_eq!(options.streaming, Streaming::Skip);
    assert_eq!(options.rust.messages, MessageSource::External);
    assert!(!options.rust.mod_file);
    assert_eq!(options.rust.extern_paths[".a.B"], "crate::b::B");
}

#[test]
fn the_options_of_imports_and_modules_are_read() {
    let options =
        Options::parse("include_imports,module_clash=merge").expect("the options must be valid");
    assert!(options.rust.include_imports);
    assert_eq!(options.rust.module_clash, ModuleClash::Merge);
}

#[test]
fn a_bare_key_means_true() {
    assert!(
        Options::parse("mod_file")
            .expect("the options must be valid")
            .rust
            .mod_file
    );
}

#[test]
fn the_well_known_types_can_be_replaced() {
    let options =
        Options::parse("extern_path=.google.protobuf=::wkt").expect("the options must be valid");
    assert_eq!(options.rust.extern_paths[".google.protobuf"], "::wkt");
}

#[test]
fn an_unknown_option_is_named_in_the_error() {
    check_error(
        "modfile=true",
        "unknown option `modfile`, did you mean `mod_file`?",
    );
    check_error(
        "format=x",
        "unknown option `format`, expected one of `extern_path`, `include_imports`, `lang`, \
         `M<file>`, `messages`, `mod_file`, `module`, `module_clash`, `paths`, `streaming`",
    );
}

#[test]
fn a_comma_can_be_escaped() {
    check_error(
        "messages=a\\,b,mod_file",
        "option `messages`: found `a,b`, expected `prost` or `external`",
    );
}

#[test]
fn an_invalid_value_is_reported_with_the_valid_ones() {
    check_error(
        "lang=c",
        "option `lang`: found `c`, expected `rust` or `go`",
    );
    check_error(
        "streaming=later",
        "option `streaming`: found `later`, expected `generate` or `skip`",
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
fn an_extern_path_must_be_absolute() {
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
                "option `extern_path`: found `{value}`, expected `.package=::rust::path` or \
                 `.package=crate::path`"
            ),
        );
    }
}

#[test]
fn all_errors_in_options_are_reported() {
    check_error(
        "mod_file,mod_file=false,extern_path=.a=::b,extern_path=.a=::c,lang=c",
        "option `mod_file` is given twice\n\
         option `extern_path=.a` is given twice\n\
         option `lang`: found `c`, expected `rust` or `go`",
    );
}

#[test]
fn every_go_option_is_read() {
    let options =
        Options::parse("lang=go,module=example.com/m,Ma/b.proto=example.com/m/b;bb,Mc.proto=;cc")
            .expect("the options must be valid");
    assert_eq!(options.language, Language::Go);
    assert_eq!(options.go.paths, Paths::Import);
    assert_eq!(options.go.module.as_deref(), Some("example.com/m"));
    assert_eq!(
        options.go.packages["a/b.proto"],
        Mapping {
            path: "example.com/m/b".into(),
            name: "bb".into()
        }
    );
    assert_eq!(
        options.go.packages["c.proto"],
        Mapping {
            path: String::new(),
            name: "cc".into()
        }
    );
    let options =
        Options::parse("paths=source_relative,lang=go").expect("the options must be valid");
    assert_eq!(options.go.paths, Paths::SourceRelative);
}

#[test]
fn contradicting_go_options_are_rejected() {
    check_error(
        "lang=go,module=m,paths=source_relative",
        "option `module` cannot be given with `paths=source_relative`",
    );
    check_error(
        "lang=go,paths=here",
        "option `paths`: found `here`, expected `import` or `source_relative`",
    );
    check_error(
        "lang=go,Ma.proto=x/a,Ma.proto=x/b",
        "option `Ma.proto` is given twice",
    );
}

#[test]
fn options_of_another_language_are_rejected() {
    check_error(
        "lang=go,mod_file=false",
        "option `mod_file` is for `lang=rust` alone",
    );
    check_error(
        "paths=import,Ma.proto=x/a",
        "option `paths` is for `lang=go` alone\noption `Ma.proto` is for `lang=go` alone",
    );
}
