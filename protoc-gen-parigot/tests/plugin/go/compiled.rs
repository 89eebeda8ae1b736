//! What the plugin writes in Go for each case of `tests/golden`, against what is checked in, and compiled beside what
//! protoc-gen-go writes: natively and as guests are.
//!
//! A file that does not say which Go package it is lies in one named after its own package. The options of a case's run are in
//! its file `options-go`, if it needs any. A case of which protoc-gen-go makes nothing that compiles says why in a file `not-in-go`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use crate::golden::{Files, cases, check_written, comparable, protos, read, replace, root};
use crate::protoc::{protoc, run};

/// The module of `tests/golden`.
const MODULE: &str = "golden.example";

#[test]
fn golden_files_are_what_the_plugin_writes() {
    let module = tempfile::tempdir().expect("there is a folder for temporary files");
    check_written(
        go_cases()
            .iter()
            .map(|case| (case.join("go"), stubs(&generate(case, module.path())))),
    );
}

#[test]
fn golden_files_compile() {
    let module = module();
    let written: usize = go_cases()
        .iter()
        .map(|case| stubs(&generate(case, module.path())).len())
        .sum();
    assert!(written > 0, "nothing was written");
    let greeter = module.path().join("tests/greeter");
    replace(&greeter, &read(&root().join("tests/greeter")));
    check(module.path());
    run(go().args(["test", "./..."]).current_dir(module.path()));
    let mut guest = go();
    guest
        .args(["build", "-buildmode=c-shared", "-o", "greeter.wasm", "."])
        .current_dir(greeter);
    run(guest.env("GOOS", "wasip1").env("GOARCH", "wasm"));
}

fn go_cases() -> Vec<PathBuf> {
    cases()
        .into_iter()
        .filter(|case| !case.join("not-in-go").exists())
        .collect()
}

/// A module as a user has one, empty.
pub(super) fn module() -> tempfile::TempDir {
    let module = tempfile::tempdir().expect("there is a folder for temporary files");
    let copy =
        |name: &str| fs::read_to_string(root().join(name)).expect("tests/golden is a Go module");
    let sdk = fs::canonicalize(root().join("../../parigot-guest-go")).expect("the SDK is there");
    let manifest = copy("go.mod").replace("../../parigot-guest-go", &sdk.to_string_lossy());
    let write = |name: &str, text: String| {
        fs::write(module.path().join(name), text).expect("the folder is ours")
    };
    write("go.mod", manifest);
    write("go.sum", copy("go.sum"));
    module
}

/// Checks that all packages of a module have nothing that a tool would complain of, and compile for this machine and for a guest.
fn check(module: &Path) {
    check_form(module);
    run(go().args(["build", "./..."]).current_dir(module));
    run(go()
        .args(["vet", "./..."])
        .current_dir(module)
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm"));
}

/// Asks `gofmt` and `go vet`.
pub(super) fn check_form(module: &Path) {
    let gofmt = Command::new("gofmt")
        .args(["-d", "."])
        .current_dir(module)
        .output()
        .expect("gofmt comes with go");
    let changes = String::from_utf8_lossy(&gofmt.stdout);
    let faults = String::from_utf8_lossy(&gofmt.stderr);
    assert!(
        gofmt.stdout.is_empty() && gofmt.stderr.is_empty(),
        "gofmt would change:\n{changes}{faults}"
    );
    run(go().args(["vet", "./..."]).current_dir(module));
}

fn go() -> Command {
    Command::new("go")
}

/// protoc-gen-go as the module of `tests/golden` pins it.
fn protoc_gen_go() -> &'static Path {
    static PLUGIN: OnceLock<PathBuf> = OnceLock::new();
    PLUGIN.get_or_init(|| {
        let path = run(go()
            .args(["tool", "-n", "protoc-gen-go"])
            .current_dir(root()))
        .stdout;
        String::from_utf8(path)
            .expect("the path is text")
            .trim_end()
            .into()
    })
}

/// Generates a case into its folder of the module, messages and stubs, and returns all of it.
fn generate(case: &Path, module: &Path) -> Files {
    let name = case
        .file_name()
        .expect("a case is a folder")
        .to_string_lossy();
    let output = module.join(&*name).join("go");
    fs::create_dir_all(&output).expect("the folder is ours");
    generate_into(&output, case, &format!("{MODULE}/{name}/go"));
    read(&output)
}

/// Generates a case into a folder, which is that of a package.
fn generate_into(output: &Path, case: &Path, prefix: &str) {
    let mut options = vec![format!("module={prefix}")];
    let protos = protos(case);
    for proto in &protos {
        options.extend(mapping(
            proto.strip_prefix(case).expect("it lies in the case"),
            proto,
            prefix,
        ));
    }
    let options = options.join(",");
    let more = fs::read_to_string(case.join("options-go")).unwrap_or_default();
    let mut protoc = protoc();
    protoc.arg(format!(
        "--plugin=protoc-gen-go={}",
        protoc_gen_go().display()
    ));
    protoc.arg(format!("--proto_path={}", case.display()));
    protoc
        .arg(format!("--go_out={}", output.display()))
        .arg(format!("--go_opt={options}"));
    protoc.arg(format!("--parigot_out={}", output.display()));
    protoc.arg(format!("--parigot_opt=lang=go,{options},{}", more.trim()));
    run(protoc.args(&protos));
}

/// Where a file lies that does not say so: `a.b` in the folder `a/b`, and what has no package in `root`.
fn mapping(name: &Path, proto: &Path, prefix: &str) -> Option<String> {
    let text = fs::read_to_string(proto).expect("a .proto is text");
    if text.contains("option go_package") {
        return None;
    }
    let package = text
        .lines()
        .find_map(|line| line.strip_prefix("package ")?.strip_suffix(';'));
    Some(format!(
        "M{}={prefix}/{}",
        name.display(),
        package.unwrap_or("root").replace('.', "/")
    ))
}

/// Those that this plugin has written.
fn stubs(files: &Files) -> Files {
    let stubs = files
        .iter()
        .filter(|(name, _)| name.ends_with("_parigot.pb.go"));
    stubs
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect::<BTreeMap<_, _>>()
}

/// The guests in Go that the end-to-end tests run have what is written today.
#[test]
fn guests_of_tests_have_it() {
    let output = tempfile::tempdir().expect("there is a folder for temporary files");
    for case in ["echo", "load"] {
        generate_into(
            output.path(),
            &root().join(case),
            "parigot.test/guests/stubs",
        );
    }
    check_written([(root().join("../guests-go/stubs"), read(output.path()))].into_iter());
}

/// The Go packages of parigot's own files, which whatever imports them imports, are in the SDK.
#[test]
fn the_sdk_has_what_is_imported() {
    check_in_sdk("parigot/v1/options.proto", "options/options.pb.go");
    check_in_sdk("parigot/v1/id.proto", "idpb/id.pb.go");
}

fn check_in_sdk(proto: &str, file: &str) {
    let sdk = root().join("../../parigot-guest-go");
    let output = tempfile::tempdir().expect("there is a folder for temporary files");
    let mut protoc = protoc();
    protoc.arg(format!(
        "--plugin=protoc-gen-go={}",
        protoc_gen_go().display()
    ));
    protoc.arg(format!("--go_out={}", output.path().display()));
    run(protoc.args([
        "--go_opt=module=github.com/parigot/parigot/parigot-guest-go",
        proto,
    ]));
    if env::var_os("PARIGOT_BLESS").is_some() {
        fs::copy(output.path().join(file), sdk.join(file)).expect("the folder is ours");
    }
    let text = |folder: &Path| {
        comparable(&fs::read_to_string(folder.join(file)).expect("generated Go must be text"))
    };
    assert_eq!(text(&sdk), text(output.path()));
}
