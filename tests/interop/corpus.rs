//! Golden cases, and those that an implementation does not support. The build script and the test
//! share this module.

use std::fs;
use std::path::{Path, PathBuf};

/// Cases, or messages with those in them, that are not tested.
pub const NOT_TRIED: &[(&str, &str)] = &[
    ("external", "its messages are those of message_named_as_rpc"),
    (
        "compilers.reflect.Page",
        "prost-types does not know all fields of descriptors",
    ),
    (
        "names",
        "Go rejects messages whose names begin with a digit, as the entry `1Entry` of the map \
         `_1` does",
    ),
];

/// Cases, or messages with those in them, that the crate `protobuf` does not support.
pub const NOT_IN_PROTOBUF: &[(&str, &str)] = &[
    ("editions", "protobuf 3.7 knows only proto2 and proto3"),
    (
        "go_names",
        "protobuf-codegen gives a message and the module of its content one name, \
         `_odd__message_2_x`",
    ),
    (
        "go_packages",
        "protobuf-codegen spells the module of in.proto in two ways",
    ),
    (
        "groups",
        "protobuf-codegen leaves out groups, but checks that a required one is set",
    ),
    ("legacy.Record", "protobuf-codegen leaves out groups"),
    ("compilers.old.M", "protobuf-codegen leaves out groups"),
    (
        "shared",
        "the compiler fails on the traits of protobuf for 40 messages that contain each other",
    ),
    (
        "nested",
        "protobuf-codegen gives a oneof and a message one name, `Seed`",
    ),
    (
        "odd_files",
        "protobuf-codegen copies a bidi mark into its comments, and makes a module `mod` of \
         mod.proto",
    ),
];

/// Returns the reason for a name in a list.
pub fn reason<'a>(list: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    let holds = |outer: &str| {
        name.strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    list.iter()
        .find(|(outer, _)| holds(outer))
        .map(|(_, reason)| *reason)
}

/// Returns the folder of all cases.
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden")
}

/// Returns the names of the cases: the folders that contain a `.proto`, however deep, sorted.
pub fn cases() -> Vec<String> {
    let is_case = |path: &PathBuf| !protos(path).is_empty();
    let name = |path: PathBuf| {
        path.file_name()
            .expect("a folder must have a name")
            .to_string_lossy()
            .into_owned()
    };
    entries(&golden())
        .into_iter()
        .filter(is_case)
        .map(name)
        .collect()
}

/// Returns the `.proto` files in a folder, however deep.
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

/// Returns the entries of a folder, sorted; empty if there is no folder.
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("the folder must be readable").path())
        .collect();
    paths.sort();
    paths
}
