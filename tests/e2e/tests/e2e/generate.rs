//! `parigot generate`: the same output as `protoc` with the plugin, and errors with their
//! locations.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Ended, Started, parigot, root};

type Files = BTreeMap<String, String>;

/// Runs `parigot generate` with these options for all files in `folder`.
fn generate(folder: &Path, options: &[&str]) -> (Ended, Files) {
    let out = tempfile::tempdir().expect("a temporary folder must be writable");
    let mut command = Command::new(parigot());
    command
        .arg("generate")
        .arg("--out")
        .arg(out.path())
        .arg("-I")
        .arg(folder);
    options
        .iter()
        .for_each(|option| _ = command.args(["--opt", option]));
    let ended = Started::new(command.args(protos(folder))).wait();
    (ended, read(out.path()))
}

/// Returns the `.proto` files in a folder and its subfolders, sorted.
fn protos(folder: &Path) -> Vec<PathBuf> {
    let (folders, files): (Vec<_>, Vec<_>) =
        entries(folder).into_iter().partition(|path| path.is_dir());
    let is_proto = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "proto")
    };
    let nested = folders.iter().flat_map(|folder| protos(folder));
    let mut protos: Vec<_> = files.into_iter().filter(is_proto).chain(nested).collect();
    protos.sort();
    protos
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("the folder must be readable").path())
        .collect()
}

fn read(folder: &Path) -> Files {
    let name = |path: &Path| {
        path.file_name()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned()
    };
    entries(folder)
        .iter()
        .map(|path| {
            (
                name(path),
                fs::read_to_string(path).expect("the file must be UTF-8"),
            )
        })
        .collect()
}

/// Creates a folder with one file.
fn folder_with(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder must be writable");
    fs::write(folder.path().join(name), text).expect("a temporary folder must be writable");
    folder
}

/// Returns true if a case uses editions, which the compiler in `parigot generate` does not support.
fn has_edition(case: &Path) -> bool {
    let text = |proto: &PathBuf| fs::read_to_string(proto).expect("the file must be UTF-8");
    protos(case).iter().any(|proto| {
        text(proto)
            .lines()
            .any(|line| line.starts_with("edition = "))
    })
}

#[test]
fn output_equals_that_of_protoc_and_the_plugin() {
    let cases = entries(&root().join("tests/golden"))
        .into_iter()
        .filter(|case| case.join("rust").is_dir());
    let cases: Vec<_> = cases.filter(|case| !has_edition(case)).collect();
    assert!(cases.len() > 15, "{cases:?}");
    for case in cases {
        let options = fs::read_to_string(case.join("options")).unwrap_or_default();
        let (ended, files) = generate(&case, &[options.trim()]);
        assert_eq!(
            ended.status,
            Some(0),
            "{}: {}",
            case.display(),
            ended.stderr
        );
        let golden = read(&case.join("rust"));
        assert_eq!(
            files.keys().collect::<Vec<_>>(),
            golden.keys().collect::<Vec<_>>(),
            "{}",
            case.display()
        );
        for (name, text) in files {
            assert_eq!(text, golden[&name], "{}, {name}", case.display());
        }
    }
}

#[test]
fn errors_have_their_location() {
    let check_with = |options: &[&str], text: &str, expected: &str| {
        let folder = folder_with("input.proto", text);
        let (ended, files) = generate(folder.path(), options);
        assert_eq!((ended.status, ended.stderr.trim_end()), (Some(1), expected));
        assert!(files.is_empty());
    };
    let check = |text, expected| check_with(&[], text, expected);
    check_with(
        &["lang=go", "Minput.proto=example.com/s"],
        "syntax = \"proto3\";\nservice S {\n  rpc A(M) returns (M);\n  rpc a(M) returns (M);\n  \
         rpc B(M) returns (M);\n  rpc b(M) returns (M);\n}\nmessage M {}",
        "input.proto:4:3: method A (input.proto:3:3) and method a are both `A` in Go\n\
         input.proto:6:3: method B (input.proto:5:3) and method b are both `B` in Go",
    );
    check(
        "syntax = \"proto3\";\nmessage M {\n  Missing m = 1;\n}\n",
        "input.proto:3:3: name 'Missing' is not defined",
    );
    check(
        "syntax = \"proto3\";\nimport \"missing.proto\";\n",
        "input.proto:2:1: import 'missing.proto' not found",
    );
    check(
        "edition = \"2023\";\n",
        "input.proto:1:1: expected 'enum', 'extend', 'import', 'message', 'option', 'service', \
         'package' or ';', but found 'edition'; a file of an edition needs protoc or buf, with \
         protoc-gen-parigot",
    );
    check(
        &format!(
            "syntax = \"proto3\";\noption (x) = {}",
            "{ a: ".repeat(10_000)
        ),
        "input.proto:2:334: brackets are nested more than 64 deep",
    );
}

#[test]
fn an_unknown_name_proposes_its_import() {
    for (text, at, name, import) in [
        (
            "message M { google.protobuf.Timestamp t = 1; }",
            "2:13",
            "google.protobuf.Timestamp",
            "google/protobuf/timestamp.proto",
        ),
        (
            "message M { google.protobuf.NullValue n = 1; }",
            "2:13",
            "google.protobuf.NullValue",
            "google/protobuf/struct.proto",
        ),
        (
            "message M { parigot.v1.Id id = 1; }",
            "2:13",
            "parigot.v1.Id",
            "parigot/v1/id.proto",
        ),
        (
            "service S { option (parigot.v1.service).error = \"E\"; }",
            "2:13",
            "parigot.v1.service",
            "parigot/v1/options.proto",
        ),
        (
            "message M { string s = 1 [(google.api.field_behavior) = REQUIRED]; }",
            "2:27",
            "google.api.field_behavior",
            "google/api/field_behavior.proto",
        ),
    ] {
        let folder = folder_with("input.proto", &format!("syntax = \"proto3\";\n{text}\n"));
        let (ended, _) = generate(folder.path(), &[]);
        let expected =
            format!("input.proto:{at}: name '{name}' is not defined; add `import \"{import}\";`");
        assert_eq!(
            (ended.status, ended.stderr.trim_end()),
            (Some(1), &*expected)
        );
    }
}

#[test]
fn a_long_chain_of_imports_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder must be writable");
    for at in 0..3_000 {
        let import = format!("import \"f{}.proto\";", at + 1);
        let import = if at == 2_999 { "" } else { &import };
        let text = format!("syntax = \"proto3\"; {import} message M{at} {{}}");
        fs::write(folder.path().join(format!("f{at}.proto")), text)
            .expect("a temporary folder must be writable");
    }
    let mut command = Command::new(parigot());
    command
        .current_dir(folder.path())
        .args(["generate", "--out", "out", "f0.proto"]);
    let ended = Started::new(&mut command).wait();
    assert_eq!((ended.status, &*ended.stderr), (Some(0), ""));
}

#[test]
fn go_stubs_name_the_origin_of_their_messages() {
    let text = "syntax = \"proto3\";\nmessage M {}\nservice S { rpc Get(M) returns (M); }\n";
    let folder = folder_with("input.proto", text);
    let run = || {
        let mut command = Command::new(parigot());
        command.current_dir(folder.path()).args([
            "generate",
            "--out",
            "out",
            "--opt",
            "lang=go,paths=source_relative,Minput.proto=x.y/z",
            "input.proto",
        ]);
        Started::new(&mut command).wait()
    };
    let ended = run();
    let expected = "note: the stubs need messages in input.pb.go; protoc-gen-go writes the Go \
                    messages:\ngo install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12\n\
                    protoc --proto_path=. --go_out=out --go_opt=paths=source_relative \
                    --go_opt=Minput.proto=x.y/z input.proto\n";
    assert_eq!((ended.status, &*ended.stderr), (Some(0), expected));
    fs::write(folder.path().join("out/input.pb.go"), "").expect("the folder must be writable");
    assert_eq!(run().stderr, "");
}

/// The note is complete: `protoc` finds the files of `parigot/v1` that a `.proto` imports.
#[test]
fn the_command_for_go_messages_finds_all_imports() {
    let text = "syntax = \"proto3\";\nimport \"parigot/v1/id.proto\";\n\
                service S { rpc Get(parigot.v1.Id) returns (parigot.v1.Id); }\n";
    let folder = folder_with("input.proto", text);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(parigot());
        command
            .current_dir(folder.path())
            .arg("generate")
            .args(arguments);
        let ended = Started::new(&mut command).wait();
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        ended.stderr
    };
    let lines = |protos: &str| {
        format!("--proto_path=. --proto_path={protos} --go_out=out --go_opt=Minput.proto=x.y/z ")
    };
    let options = [
        "--out",
        "out",
        "--opt",
        "lang=go,Minput.proto=x.y/z",
        "input.proto",
    ];
    let note = run(&options);
    assert!(
        note.contains("\nparigot generate --write-protos parigot-protos\nprotoc "),
        "{note}"
    );
    assert!(note.contains(&lines("parigot-protos")), "{note}");
    assert_eq!(run(&["--write-protos", "parigot-protos"]), "");
    let written = folder.path().join("parigot-protos/parigot/v1/id.proto");
    assert!(written.exists(), "{}", written.display());

    let note = run(&[&["--write-protos", "build/protos"], &options[..]].concat());
    assert!(!note.contains("--write-protos"), "{note}");
    assert!(note.contains(&lines("build/protos")), "{note}");
}

#[test]
fn an_error_enum_of_no_service_is_a_warning() {
    let text = "syntax = \"proto3\";\nmessage M {}\nservice Loans { rpc Get(M) returns (M); }\n\
                enum LoanErr { NO_ERROR = 0; }\n";
    let folder = folder_with("input.proto", text);
    let (ended, files) = generate(folder.path(), &[]);
    let expected = "warning: input.proto:4:1: enum LoanErr is the error of no service: ";
    assert!(ended.stderr.starts_with(expected), "{}", ended.stderr);
    assert_eq!((ended.status, files.is_empty()), (Some(0), false));
}

/// The torture set of `tests/golden/compilers`, in Go.
#[test]
fn go_output_equals_that_of_protoc_and_the_plugin() {
    let case = root().join("tests/golden/compilers");
    let packages = ["comments", "crlf", "defaults", "old"]
        .map(|name| format!("M{name}.proto=golden.example/compilers/go/root"));
    let of_reflect = "Mreflect.proto=golden.example/compilers/go/compilers/reflect".to_owned();
    let mut options = vec!["lang=go", "module=golden.example/compilers/go"];
    options.extend(packages.iter().chain([&of_reflect]).map(String::as_str));
    let out = tempfile::tempdir().expect("a temporary folder must be writable");
    let mut command = Command::new(parigot());
    command.args(["generate", "--out"]).arg(out.path());
    command.arg("-I").arg(&case);
    command
        .args(["--opt", &options.join(",")])
        .args(protos(&case));
    let ended = Started::new(&mut command).wait();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    for stubs in [
        "root/comments_parigot.pb.go",
        "compilers/reflect/reflect_parigot.pb.go",
    ] {
        let [written, golden] = [out.path().to_owned(), case.join("go")]
            .map(|folder| fs::read_to_string(folder.join(stubs)).expect("the file must exist"));
        assert_eq!(written, golden);
    }
}

#[test]
fn options_are_those_of_the_plugin() {
    let folder = folder_with("input.proto", "syntax = \"proto3\";\nmessage M {}\n");
    let (ended, files) = generate(folder.path(), &["lang=rust,mod_file=false"]);
    assert_eq!((ended.status, files.len()), (Some(0), 1));
    let (ended, _) = generate(folder.path(), &["mod_fil=false", "lang=cobol"]);
    let expected = "unknown option `mod_fil`, did you mean `mod_file`?\noption `lang`: found \
                    `cobol`, expected `rust` or `go`\n";
    assert_eq!((ended.status, &*ended.stderr), (Some(1), expected));
}

#[test]
fn an_unchanged_file_is_not_written() {
    let folder = folder_with("input.proto", "syntax = \"proto3\";\nmessage M {}\n");
    let written = || {
        let mut command = Command::new(parigot());
        command
            .current_dir(folder.path())
            .args(["generate", "--out", "new/out", "input.proto"]);
        assert_eq!(Started::new(&mut command).wait().status, Some(0));
        let metadata =
            fs::metadata(folder.path().join("new/out/_.rs")).expect("the file must be written");
        metadata.modified().expect("the file must have a time")
    };
    let first = written();
    assert_eq!(written(), first);
}
