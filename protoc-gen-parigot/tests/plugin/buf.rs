//! buf instead of `protoc`, with the files that the README shows: the same comes out.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::golden;
use crate::protoc::run;

/// `$BUF`, else the one on the path.
fn buf() -> Command {
    let buf = env::var_os("BUF").unwrap_or_else(|| "buf".into());
    let found = Command::new(&buf).arg("--version").output();
    assert!(
        found.is_ok(),
        "buf is missing: `make test` installs it, or say with BUF where it is"
    );
    Command::new(buf)
}

/// The block of the README that begins with `# name`.
fn block(name: &str) -> String {
    let readme = include_str!("../../README.md");
    let start = readme
        .find(&format!("```yaml\n# {name}\n"))
        .expect("the README shows it");
    let (block, _) = readme[start + "```yaml\n".len()..]
        .split_once("```")
        .expect("the block ends");
    block.to_owned()
}

fn copy(from: &Path, to: &Path) {
    for file in golden::protos(from) {
        let target = to.join(file.strip_prefix(from).expect("it lies there"));
        fs::create_dir_all(target.parent().expect("it is in a folder"))
            .expect("the folder is ours");
        fs::copy(file, target).expect("the folder is ours");
    }
}

fn check(case: &str) {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let at = |name: &str| folder.path().join(name);
    let case = golden::root().join(case);
    copy(&case, &at("proto"));
    for name in ["buf.yaml", "buf.gen.yaml"] {
        fs::write(at(name), block(name)).expect("the folder is ours");
    }
    let plugin = Path::new(env!("CARGO_BIN_EXE_protoc-gen-parigot"));
    run(Command::new(plugin)
        .arg("--write-protos")
        .arg(at("parigot")));

    let mut path: Vec<PathBuf> = vec![plugin.parent().expect("it is in a folder").to_owned()];
    path.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    let path = env::join_paths(path).expect("no folder has a colon");
    // Its caches and settings are nobody else's.
    run(buf()
        .arg("generate")
        .current_dir(folder.path())
        .env("PATH", path)
        .env("HOME", at("home")));
    let differences = golden::compare(&case.join("rust"), &golden::read(&at("src/pb")));
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn packages_in_several_folders_come_out_together() {
    check("imports");
}

#[test]
fn the_options_of_parigot_can_be_imported() {
    check("options");
}
