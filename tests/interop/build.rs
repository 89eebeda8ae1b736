//! Generates types of the golden cases with `protobuf-codegen`, and lists all messages with their
//! prost types.

mod corpus;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};
use protoc_gen_parigot::name::{camel, modules, snake};

fn main() {
    println!("cargo::rerun-if-changed=../golden");
    println!("cargo::rerun-if-changed=../../protoc-gen-parigot/proto");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo must set OUT_DIR"));
    let mut modules = String::new();
    let mut cases = String::new();
    for case in corpus::cases()
        .into_iter()
        .filter(|case| corpus::reason(corpus::NOT_TRIED, case).is_none())
    {
        let code = out.join(&case);
        let files = protobuf(&case, &code);
        if !files.is_empty() {
            modules += &format!(
                "    #[path = {:?}]\n    pub mod {case};\n",
                code.join("mod.rs")
            );
        }
        let protobuf: String = files
            .iter()
            .map(|file| format!("protobuf_types::{case}::{file}::file_descriptor, "))
            .collect();
        let set = out.join(format!("{case}.descriptors"));
        let messages: String = messages(&case, &set)
            .iter()
            .map(|message| entry(&case, message))
            .collect();
        cases += &format!(
            "    Case {{ name: {case:?}, descriptors: {set:?}, protobuf: &[{protobuf}], messages: \
             &[\n{messages}    ] }},\n"
        );
    }
    let text = format!(
        "mod protobuf_types {{\n{modules}}}\n\npub static CASES: &[Case] = &[\n{cases}];\n"
    );
    fs::write(out.join("cases.rs"), text).expect("OUT_DIR must be writable");
}

/// Returns the modules that `protobuf-codegen` generates for a case, one for each file.
fn protobuf(case: &str, out: &Path) -> Vec<String> {
    if corpus::reason(corpus::NOT_IN_PROTOBUF, case).is_some() {
        return Vec::new();
    }
    let folder = corpus::golden().join(case);
    let mut codegen = protobuf_codegen::Codegen::new();
    codegen
        .protoc()
        .protoc_path(&protoc())
        .cargo_out_dir(case)
        .includes(includes(&folder))
        .inputs(corpus::protos(&folder));
    let own = ["options", "id"].map(|name| options().join(format!("parigot/v1/{name}.proto")));
    codegen.inputs(own).run_from_script();
    let stem = |path: PathBuf| {
        path.file_stem()
            .expect("a file must have a name")
            .to_string_lossy()
            .into_owned()
    };
    corpus::entries(out)
        .into_iter()
        .map(stem)
        .filter(|stem| stem != "mod")
        .collect()
}

/// Returns the folders of the imports of a case.
fn includes(folder: &Path) -> [PathBuf; 3] {
    [
        folder.to_owned(),
        protoc_bin_vendored::include_path().expect("the well-known types must be vendored"),
        options(),
    ]
}

/// Returns the folder of parigot's own `.proto` files.
fn options() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protoc-gen-parigot/proto")
}

/// Message: full name, and prost type below the module of the case.
struct Named {
    full: String,
    rust: String,
}

fn entry(case: &str, Named { full, rust }: &Named) -> String {
    format!(
        "        Message {{ name: {full:?}, prost: through_prost::<golden::{case}::{rust}> }},\n"
    )
}

/// Returns the messages of a case, and writes their descriptors to a file.
fn messages(case: &str, set: &Path) -> Vec<Named> {
    let mut found = Vec::new();
    for file in descriptors(&corpus::golden().join(case), set)
        .file
        .into_iter()
        .filter(|file| !imported(file))
    {
        let package = file.package().to_owned();
        let module: String = modules(&package)
            .expect("prost must have a name for the message")
            .iter()
            .map(|name| format!("{name}::"))
            .collect();
        let prefix = if package.is_empty() {
            package
        } else {
            package + "."
        };
        file.message_type
            .iter()
            .for_each(|message| collect(message, &prefix, &module, &mut found));
    }
    found
}

/// Returns true if a file is not part of the corpus.
fn imported(file: &FileDescriptorProto) -> bool {
    ["google.protobuf", "parigot.v1"].contains(&file.package())
}

/// Adds a message and the messages in it.
fn collect(message: &DescriptorProto, prefix: &str, module: &str, found: &mut Vec<Named>) {
    if message
        .options
        .as_ref()
        .is_some_and(|options| options.map_entry())
    {
        return;
    }
    let spelled = "prost must have a name for the message";
    let full = format!("{prefix}{}", message.name());
    let inner = format!("{module}{}::", snake(message.name()).expect(spelled));
    message
        .nested_type
        .iter()
        .for_each(|nested| collect(nested, &format!("{full}."), &inner, found));
    found.push(Named {
        rust: format!("{module}{}", camel(message.name()).expect(spelled)),
        full,
    });
}

fn protoc() -> PathBuf {
    protoc_bin_vendored::protoc_bin_path().expect("protoc must be vendored for this platform")
}

fn descriptors(folder: &Path, set: &Path) -> FileDescriptorSet {
    let mut protoc = Command::new(protoc());
    protoc.args(
        includes(folder)
            .iter()
            .map(|path| format!("--proto_path={}", path.display())),
    );
    protoc
        .arg("--include_imports")
        .arg(format!("--descriptor_set_out={}", set.display()))
        .args(corpus::protos(folder));
    let status = protoc
        .status()
        .unwrap_or_else(|error| panic!("{protoc:?}: {error}"));
    assert!(status.success(), "{protoc:?}: {status}");
    FileDescriptorSet::decode(&*fs::read(set).expect("protoc must write the file"))
        .expect("the output of protoc must decode")
}
