//! What the plugin writes for each case of `tests/golden`, against what is checked in.
//!
//! A case is a folder of `.proto` files, with the options of its run, if it needs any, in a file `options`.
//! `PARIGOT_BLESS=1` writes what the plugin writes, and removes what nothing writes any more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::protoc::{protoc, run};

/// Texts by file name.
pub(crate) type Files = BTreeMap<String, String>;

#[test]
fn golden_files_are_what_the_plugin_writes() {
    check_written(
        cases()
            .iter()
            .map(|case| (case.join("rust"), generate(case))),
    );
}

#[test]
fn golden_files_are_all_compiled() {
    let lib = fs::read_to_string(root().join("lib.rs")).expect("tests/golden/lib.rs is a file");
    for case in cases() {
        let name = case
            .file_name()
            .expect("a case is a folder")
            .to_string_lossy()
            .into_owned();
        let lines = format!("#[path = \"{name}/rust/mod.rs\"]\npub mod {name};\n");
        assert!(lib.contains(&lines), "tests/golden/lib.rs lacks\n{lines}");
    }
}

/// Compares folders of golden files with what was written for each, or has them hold that.
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

/// The folder of all cases.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

/// The folders that hold a `.proto`, however deep.
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
        .map(|entry| entry.expect("the folder can be read").path())
        .collect()
}

/// The `.proto` files in a folder, however deep, sorted.
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
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
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

/// The files of a folder and of those in it.
pub(crate) fn read(folder: &Path) -> Files {
    let mut files = Files::new();
    for path in entries(folder) {
        let name = path
            .file_name()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            files.extend(
                read(&path)
                    .into_iter()
                    .map(|(nested, text)| (format!("{name}/{nested}"), text)),
            );
        } else {
            files.insert(name, fs::read_to_string(path).expect("the file is text"));
        }
    }
    files
}

pub(crate) fn replace(golden: &Path, written: &Files) {
    for orphan in read(golden)
        .keys()
        .filter(|name| !written.contains_key(*name))
    {
        fs::remove_file(golden.join(orphan)).expect("golden files can be written");
    }
    for (name, text) in written {
        let path = golden.join(name);
        let folder = path.parent().expect("a file is in a folder");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .expect("golden files can be written");
    }
}

/// What differs between golden files and those that were written; nothing if they are equal.
pub(crate) fn compare(golden: &Path, written: &Files) -> String {
    let golden_files = read(golden);
    let names = golden_files.keys().chain(
        written
            .keys()
            .filter(|name| !golden_files.contains_key(*name)),
    );
    let difference = |name: &String| match (golden_files.get(name), written.get(name)) {
        (Some(old), Some(new)) => diff(&comparable(old), &comparable(new)),
        (Some(_), None) => "nothing writes this file any more\n".to_owned(),
        (None, _) => "this file is new\n".to_owned(),
    };
    names
        .map(|name| (name, difference(name)))
        .filter(|(_, difference)| !difference.is_empty())
        .map(|(name, difference)| format!("{}:\n{difference}", golden.join(name).display()))
        .collect()
}

/// Text without the version of `protoc`, which protoc-gen-go prints into a file's header.
///
/// The line stays, so that line numbers in differences are right.
pub(crate) fn comparable(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("// \tprotoc ") {
        Some(_) => "// \tprotoc\n".to_owned(),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// The lines from the first to the last that differ.
fn diff(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
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
