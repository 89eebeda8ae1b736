//! Tests with buf instead of `protoc`, with the configuration in the README: the output must be the
//! same.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::golden;
use crate::protoc::run;

/// Returns `$BUF` if set, else the one on the path.
fn buf() -> Command {
    let buf = env::var_os("BUF").unwrap_or_else(|| "buf".into());
    let found = Command::new(&buf).arg("--version").output();
    assert!(
        found.is_ok(),
        "buf is missing: run `make test`, which installs it, or set BUF to its path"
    );
    Command::new(buf)
}

/// Returns the block of the README that begins with `# name`.
fn block(name: &str) -> String {
    let readme = include_str!("../../README.md");
    let start = readme
        .find(&format!("```yaml\n# {name}\n"))
        .expect("the README must have the block");
    let (block, _) = readme[start + "```yaml\n".len()..]
        .split_once("```")
        .expect("the block must end");
    block.to_owned()
}

fn copy(from: &Path, to: &Path) {
    for file in golden::protos(from) {
        let target = to.join(
            file.strip_prefix(from)
                .expect("the file must be in the folder"),
        );
        fs::create_dir_all(target.parent().expect("a file must have a folder"))
            .expect("the temporary folder must be writable");
        fs::copy(file, target).expect("the temporary folder must be writable");
    }
}

fn check(case: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder must be available");
    let at = |name: &str| folder.path().join(name);
    let case = golden::root().join(case);
    copy(&case, &at("proto"));
    for name in ["buf.yaml", "buf.gen.yaml"] {
        fs::write(at(name), block(name)).expect("the temporary folder must be writable");
    }
    let plugin = Path::new(env!("CARGO_BIN_EXE_protoc-gen-parigot"));
    run(Command::new(plugin)
        .arg("--write-protos")
        .arg(at("parigot")));

    let mut path: Vec<PathBuf> = vec![
        plugin
            .parent()
            .expect("a file must have a folder")
            .to_owned(),
    ];
    path.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    let path = env::join_paths(path).expect("no folder of PATH may contain a colon");
    // The caches and settings of the user must not matter.
    run(buf()
        .arg("generate")
        .current_dir(folder.path())
        .env("PATH", path)
        .env("HOME", at("home")));
    let differences = golden::compare(&case.join("rust"), &golden::read(&at("src/pb")));
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn buf_generates_packages_of_several_folders() {
    check("imports");
}

#[test]
fn buf_finds_the_options_of_parigot() {
    check("options");
}
