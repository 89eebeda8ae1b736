//! Go output for each case of `tests/golden`: compared with the golden files, and compiled beside
//! the output of protoc-gen-go, natively and for wasm.
//!
//! A file without `go_package` gets a package named after its protobuf package. The file
//! `options-go` of a case has the options of its run. The file `not-in-go` of a case gives the
//! reason why protoc-gen-go writes nothing for it that compiles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use crate::golden::{Files, cases, check_written, comparable, protos, read, replace, root};
use crate::protoc::{protoc, run};

/// Module path of `tests/golden`.
const MODULE: &str = "golden.example";

#[test]
fn golden_go_files_are_current() {
    let module = tempfile::tempdir().expect("a temporary folder must be available");
    check_written(
        go_cases()
            .iter()
            .map(|case| (case.join("go"), stubs(&generate(case, module.path())))),
    );
}

#[test]
fn golden_go_files_compile() {
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

/// Returns an empty module, set up as a user's module.
pub(super) fn module() -> tempfile::TempDir {
    let module = tempfile::tempdir().expect("a temporary folder must be available");
    let copy = |name: &str| {
        fs::read_to_string(root().join(name)).expect("tests/golden must be a Go module")
    };
    let sdk = fs::canonicalize(root().join("../../parigot-guest-go")).expect("the SDK must exist");
    let manifest = copy("go.mod").replace("../../parigot-guest-go", &sdk.to_string_lossy());
    let write = |name: &str, text: String| {
        fs::write(module.path().join(name), text).expect("the temporary folder must be writable")
    };
    write("go.mod", manifest);
    write("go.sum", copy("go.sum"));
    module
}

/// Checks that tools report nothing for any package of a module, and that all packages compile
/// natively and for guests.
fn check(module: &Path) {
    check_form(module);
    run(go().args(["build", "./..."]).current_dir(module));
    run(go()
        .args(["vet", "./..."])
        .current_dir(module)
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm"));
}

/// Checks a module with `gofmt` and `go vet`.
pub(super) fn check_form(module: &Path) {
    let gofmt = Command::new("gofmt")
        .args(["-d", "."])
        .current_dir(module)
        .output()
        .expect("gofmt must be on the path");
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

/// Returns protoc-gen-go in the version that the module of `tests/golden` pins.
fn protoc_gen_go() -> &'static Path {
    static PLUGIN: OnceLock<PathBuf> = OnceLock::new();
    PLUGIN.get_or_init(|| {
        let path = run(go()
            .args(["tool", "-n", "protoc-gen-go"])
            .current_dir(root()))
        .stdout;
        String::from_utf8(path)
            .expect("the path must be text")
            .trim_end()
            .into()
    })
}

/// Generates messages and stubs of a case into its folder of the module, and returns all files.
fn generate(case: &Path, module: &Path) -> Files {
    let name = case
        .file_name()
        .expect("a case must be a folder")
        .to_string_lossy();
    let output = module.join(&*name).join("go");
    fs::create_dir_all(&output).expect("the temporary folder must be writable");
    generate_into(&output, case, &format!("{MODULE}/{name}/go"));
    read(&output)
}

/// Generates a case into the folder of a package.
fn generate_into(output: &Path, case: &Path, prefix: &str) {
    let mut options = vec![format!("module={prefix}")];
    let protos = protos(case);
    for proto in &protos {
        options.extend(mapping(
            proto
                .strip_prefix(case)
                .expect("the file must be in the case"),
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

/// Returns the mapping of a file without `go_package`: package `a.b` in folder `a/b`, no package in
/// `root`.
fn mapping(name: &Path, proto: &Path, prefix: &str) -> Option<String> {
    let text = fs::read_to_string(proto).expect("a .proto must be text");
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

/// Returns the files that this plugin has written.
fn stubs(files: &Files) -> Files {
    let stubs = files
        .iter()
        .filter(|(name, _)| name.ends_with("_parigot.pb.go"));
    stubs
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect::<BTreeMap<_, _>>()
}

/// The Go guests of the end-to-end tests must have the current output.
#[test]
fn go_guests_of_tests_have_current_stubs() {
    let output = tempfile::tempdir().expect("a temporary folder must be available");
    for case in ["answers", "echo", "load", "streams"] {
        generate_into(
            output.path(),
            &root().join(case),
            "parigot.test/guests/stubs",
        );
    }
    check_written([(root().join("../guests-go/stubs"), read(output.path()))].into_iter());
}

/// The SDK must have the Go packages of parigot's own `.proto` files, which generated code imports.
#[test]
fn the_sdk_has_current_go_of_its_protos() {
    check_in_sdk("parigot/v1/options.proto", &["options/options.pb.go"]);
    check_in_sdk("parigot/v1/id.proto", &["idpb/id.pb.go"]);
    let stdio = [
        "stdio/stdiopb/stdio.pb.go",
        "stdio/stdiopb/stdio_parigot.pb.go",
    ];
    check_in_sdk("parigot/stdio/v1/stdio.proto", &stdio);
    let kv = ["kv/kvpb/kv.pb.go", "kv/kvpb/kv_parigot.pb.go"];
    check_in_sdk("parigot/kv/v1/kv.proto", &kv);
}

fn check_in_sdk(proto: &str, files: &[&str]) {
    let sdk = root().join("../../parigot-guest-go");
    let output = tempfile::tempdir().expect("a temporary folder must be available");
    let module = "module=github.com/parigot/parigot/parigot-guest-go";
    let mut protoc = protoc();
    protoc.arg(format!(
        "--plugin=protoc-gen-go={}",
        protoc_gen_go().display()
    ));
    protoc
        .arg(format!("--go_out={}", output.path().display()))
        .arg(format!("--go_opt={module}"))
        .arg(format!("--parigot_out={}", output.path().display()))
        .arg(format!("--parigot_opt=lang=go,{module}"));
    run(protoc.arg(proto));
    for file in files {
        if env::var_os("PARIGOT_BLESS").is_some() {
            fs::copy(output.path().join(file), sdk.join(file))
                .expect("the temporary folder must be writable");
        }
        let text = |folder: &Path| {
            comparable(&fs::read_to_string(folder.join(file)).expect("generated Go must be text"))
        };
        assert_eq!(text(&sdk), text(output.path()));
    }
}
