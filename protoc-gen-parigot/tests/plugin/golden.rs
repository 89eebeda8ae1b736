//! Output for each case of `tests/golden`, compared with the golden files.
//!
//! A case is a folder of `.proto` files. Its file `options` has the options of the run, if there
//! are any. `PARIGOT_BLESS=1` writes the output into the golden files, and removes golden files
//! without output.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::protoc::{protoc, run};

/// Texts by file name.
pub(crate) type Files = BTreeMap<String, String>;

#[test]
fn golden_rust_files_are_current() {
    check_written(
        cases()
            .iter()
            .map(|case| (case.join("rust"), generate(case))),
    );
}

#[test]
fn golden_rust_files_are_all_compiled() {
    let lib = fs::read_to_string(root().join("lib.rs")).expect("tests/golden/lib.rs must exist");
    for case in cases() {
        let name = case
            .file_name()
            .expect("a case must be a folder")
            .to_string_lossy()
            .into_owned();
        let lines = format!("#[path = \"{name}/rust/mod.rs\"]\npub mod {name};\n");
        assert!(lib.contains(&lines), "tests/golden/lib.rs lacks\n{lines}");
    }
}

/// The Rust SDK must have the current code of the services that the host serves. Only the macro of
/// the descriptors is another one: see `__descriptors_of_sdk`.
#[test]
fn the_sdk_has_current_rust_of_its_protos() {
    let of_service = |name: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder must be available");
        run(protoc()
            .arg(format!("--parigot_out={}", folder.path().display()))
            .arg(format!("parigot/{name}/v1/{name}.proto")));
        let mut files = read(folder.path());
        for text in files.values_mut() {
            *text = text.replace("__descriptors!", "__descriptors_of_sdk!");
        }
        let sdk = format!("../../parigot-guest/src/{name}/generated");
        (root().join(sdk), files)
    };
    check_written(["stdio", "kv"].into_iter().map(of_service));
}

/// Compares folders of golden files with the output for each, or replaces the files with
/// `PARIGOT_BLESS=1`.
pub(crate) fn check_written(cases: impl Iterator<Item = (PathBuf, Files)>) {
    let bless = env::var_os("PARIGOT_BLESS").is_some();
    let mut differences = String::new();
    for (golden, written) in cases {
        if bless {
            replace(&golden, &written);
        }
        differences.push_str(&compare(&golden, &written));
    }
    assert!(
        differences.is_empty(),
        "{differences}\nto accept: PARIGOT_BLESS=1 cargo test -p protoc-gen-parigot golden"
    );
}

/// Returns the folder of all cases.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

/// Returns the folders that contain a `.proto`, however deep, sorted.
pub(crate) fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = entries(&root())
        .into_iter()
        .filter(|path| !protos(path).is_empty())
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "{} has no cases", root().display());
    cases
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.expect("the folder must be readable").path())
        .collect()
}

/// Returns the `.proto` files in a folder, however deep, sorted.
pub(crate) fn protos(folder: &Path) -> Vec<PathBuf> {
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

fn generate(case: &Path) -> Files {
    let folder = tempfile::tempdir().expect("a temporary folder must be available");
    let mut protoc = protoc();
    protoc
        .arg(format!("--proto_path={}", case.display()))
        .arg(format!("--parigot_out={}", folder.path().display()));
    if let Ok(options) = fs::read_to_string(case.join("options")) {
        protoc.arg(format!("--parigot_opt={}", options.trim()));
    }
    run(protoc.args(protos(case)));
    read(folder.path())
}

/// Returns the files in a folder, however deep.
pub(crate) fn read(folder: &Path) -> Files {
    let mut files = Files::new();
    for path in entries(folder) {
        let name = path
            .file_name()
            .expect("a file must have a name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            files.extend(
                read(&path)
                    .into_iter()
                    .map(|(nested, text)| (format!("{name}/{nested}"), text)),
            );
        } else {
            files.insert(
                name,
                fs::read_to_string(path).expect("the file must be text"),
            );
        }
    }
    files
}

pub(crate) fn replace(golden: &Path, written: &Files) {
    for orphan in read(golden)
        .keys()
        .filter(|name| !written.contains_key(*name))
    {
        fs::remove_file(golden.join(orphan)).expect("golden files must be writable");
    }
    for (name, text) in written {
        let path = golden.join(name);
        let folder = path.parent().expect("a file must have a folder");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .expect("golden files must be writable");
    }
}

/// Returns the differences between golden files and output, or an empty text.
pub(crate) fn compare(golden: &Path, written: &Files) -> String {
    let golden_files = read(golden);
    let names = golden_files.keys().chain(
        written
            .keys()
            .filter(|name| !golden_files.contains_key(*name)),
    );
    let difference = |name: &String| match (golden_files.get(name), written.get(name)) {
        (Some(old), Some(new)) => diff(&comparable(old), &comparable(new)),
        (Some(_), None) => "the plugin no longer writes this file\n".to_owned(),
        (None, _) => "this file is new\n".to_owned(),
    };
    names
        .map(|name| (name, difference(name)))
        .filter(|(_, difference)| !difference.is_empty())
        .map(|(name, difference)| format!("{}:\n{difference}", golden.join(name).display()))
        .collect()
}

/// Returns text without the version of `protoc`, which protoc-gen-go prints in the header of a
/// file. The line remains, so that line numbers in differences are right.
pub(crate) fn comparable(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("// \tprotoc ") {
        Some(_) => "// \tprotoc\n".to_owned(),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// Returns the lines from the first to the last difference.
fn diff(old: &str, new: &str) -> String {
    let old: Vec<_> = old.lines().collect();
    let new: Vec<_> = new.lines().collect();
    let same = old
        .iter()
        .zip(&new)
        .take_while(|(old, new)| old == new)
        .count();
    let old = &old[same..];
    let new = &new[same..];
    let tail = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(old, new)| old == new)
        .count();
    let old = &old[..old.len() - tail];
    let new = &new[..new.len() - tail];
    if old.is_empty() && new.is_empty() {
        return String::new();
    }
    let old = old.iter().map(|line| format!("-{line}\n"));
    let new = new.iter().map(|line| format!("+{line}\n"));
    format!(
        "@@ line {} @@\n{}",
        same + 1,
        old.chain(new).collect::<String>()
    )
}
