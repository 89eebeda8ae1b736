//! The real `protoc`: `$PROTOC` if set, else the vendored one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use prost::Message;
use protoc_gen_parigot::Request;

/// Returns a run of `protoc` without plugins.
pub(crate) fn plain() -> Command {
    Command::new(executable())
}

/// Returns a run of `protoc` with this plugin.
pub(crate) fn protoc() -> Command {
    let mut command = plain();
    command.arg(format!(
        "--plugin=protoc-gen-parigot={}",
        env!("CARGO_BIN_EXE_protoc-gen-parigot")
    ));
    command.arg(format!("--proto_path={}", well_known().display()));
    command.arg(format!("--proto_path={}/proto", env!("CARGO_MANIFEST_DIR")));
    command
}

/// Returns the path of `protoc`.
///
/// The `protoc` on `PATH` is never used: an older version does not know editions, and the tests
/// must not depend on the machine.
fn executable() -> PathBuf {
    match std::env::var_os("PROTOC") {
        Some(path) => path.into(),
        None => protoc_bin_vendored::protoc_bin_path()
            .expect("protoc must be vendored for this platform"),
    }
}

/// Returns the folder of the well-known types, which not every `protoc` has beside it.
fn well_known() -> PathBuf {
    protoc_bin_vendored::include_path().expect("the well-known types must be vendored")
}

/// Runs a command, which must succeed.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Returns the request of `protoc` to generate all of these files.
pub(crate) fn request(files: &[(&str, &str)], parameter: &str) -> Request {
    Request::decode(&encoded(files, parameter)).expect("the output of protoc must decode")
}

/// Returns the bytes of that request, with the options that prost's descriptors have no fields for.
pub(crate) fn encoded(files: &[(&str, &str)], parameter: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder must be available");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a file must have a folder"))
            .expect("the temporary folder must be writable");
        std::fs::write(path, text).expect("the temporary folder must be writable");
    }
    let file_to_generate: Vec<_> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
    let descriptors = FileSet::decode(&*descriptors(folder.path(), &file_to_generate))
        .expect("the output of protoc must decode");
    let parameter = parameter.to_owned();
    EncodedRequest {
        file_to_generate,
        parameter,
        proto_file: descriptors.file,
    }
    .encode_to_vec()
}

/// `FileDescriptorSet` whose files stay encoded, because prost would drop unknown options.
#[derive(PartialEq, Message)]
struct FileSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

/// `CodeGeneratorRequest` made of encoded files.
#[derive(PartialEq, Message)]
struct EncodedRequest {
    #[prost(string, repeated, tag = "1")]
    file_to_generate: Vec<String>,
    #[prost(string, tag = "2")]
    parameter: String,
    #[prost(bytes = "vec", repeated, tag = "15")]
    proto_file: Vec<Vec<u8>>,
}

fn descriptors(folder: &Path, names: &[String]) -> Vec<u8> {
    let set = folder.join("descriptors");
    let mut protoc = protoc();
    protoc.args(["--include_imports", "--include_source_info"]);
    protoc.arg(format!("--descriptor_set_out={}", set.display()));
    run(protoc
        .arg(format!("--proto_path={}", folder.display()))
        .args(names));
    std::fs::read(set).expect("protoc must write the file")
}
