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
    let check = |text: &str, expected: &str| {
        let folder = folder_with("input.proto", text);
        let (ended, files) = generate(folder.path(), &[]);
        assert_eq!((ended.status, ended.stderr.trim_end()), (Some(1), expected));
        assert!(files.is_empty());
    };
    check(
        "syntax = \"proto3\";\nservice S {\n  rpc A(stream M) returns (M);\n  rpc B(stream M) \
         returns (M);\n}\nmessage M {}",
        "input.proto:3:3: method S.A streams its request, which is not supported; \
         `streaming=skip` leaves it out\n\
         input.proto:4:3: method S.B streams its request, which is not supported; \
         `streaming=skip` leaves it out",
    );
    check(
        "syntax = \"proto3\";\nmessage M {\n  Missing m = 1;\n}\n",
        "input.proto:3:3: name 'Missing' is not defined",
    );
    check(
        "syntax = \"proto3\";\nimport \"missing.proto\";\n",
        "input.proto:2:1: import 'missing.proto' not found",
    );
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
