//! The golden cases, and which implementation cannot carry which: shared by the build script and the test.

use std::fs;
use std::path::{Path, PathBuf};

/// Cases that are not tried.
pub const NOT_TRIED: &[(&str, &str)] = &[
    ("external", "its messages are those of message_named_as_rpc"),
    (
        "names",
        "Go knows no message whose name begins with a digit, and the entry of its map `_1` is called `1Entry`",
    ),
];

/// What the crate `protobuf` cannot carry: a case, or a message with those in it.
pub const NOT_IN_PROTOBUF: &[(&str, &str)] = &[
    ("editions", "protobuf 3.7 knows proto2 and proto3"),
    (
        "go_names",
        "protobuf-codegen gives a message and the module of what it holds one name, `_odd__message_2_x`",
    ),
    (
        "go_packages",
        "protobuf-codegen spells the module of in.proto in two ways",
    ),
    (
        "groups",
        "protobuf-codegen leaves out groups, and then asks whether a required one is set",
    ),
    ("legacy.Record", "protobuf-codegen leaves out groups"),
    (
        "shared",
        "the compiler does not follow the traits of protobuf through 40 messages that hold each other",
    ),
    (
        "nested",
        "protobuf-codegen gives a oneof and a message one name, `Seed`",
    ),
    (
        "odd_files",
        "protobuf-codegen copies a mark of direction into its comments, and makes a module `mod` of mod.proto",
    ),
];

/// Why something is in a list, if it is.
pub fn reason<'a>(list: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    let holds = |outer: &str| {
        name.strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    list.iter()
        .find(|(outer, _)| holds(outer))
        .map(|(_, reason)| *reason)
}

/// The folder of all cases.
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden")
}

/// The names of the cases, which are the folders with a `.proto` in them, however deep; sorted.
pub fn cases() -> Vec<String> {
    let is_case = |path: &PathBuf| !protos(path).is_empty();
    let name = |path: PathBuf| {
        path.file_name()
            .expect("a folder has a name")
            .to_string_lossy()
            .into_owned()
    };
    entries(&golden())
        .into_iter()
        .filter(is_case)
        .map(name)
        .collect()
}

/// The `.proto` files in a folder, however deep.
pub fn protos(folder: &Path) -> Vec<PathBuf> {
    let (folders, files): (Vec<_>, Vec<_>) =
        entries(folder).into_iter().partition(|path| path.is_dir());
    let is_proto = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "proto")
    };
    let nested = folders.iter().flat_map(|folder| protos(folder));
    files.into_iter().filter(is_proto).chain(nested).collect()
}

/// What is in a folder, sorted; nothing if it is none.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    paths.sort();
    paths
}
