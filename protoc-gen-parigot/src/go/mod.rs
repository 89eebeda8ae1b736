//! The Go emitter: writes a file for each `.proto` with services, beside the file of protoc-gen-go.
//!
//! The template `templates/go/stubs.go.txt` prints a file. This module computes all values that the
//! template prints.

mod doc;
mod method;

use askama::Template;

use self::method::MethodStubs;
use crate::model::Rpc;
use crate::model::go::{GoFile, GoService};
use crate::output::{OutputFile, VERSION};

/// Prints all files.
pub fn emit(files: &[GoFile]) -> Vec<OutputFile> {
    // askama removes the last line feed of a template.
    let content = |file| Stubs::new(file).to_string() + "\n";
    files
        .iter()
        .map(|file| OutputFile {
            name: file.name.clone(),
            content: content(file),
        })
        .collect()
}

/// Data of one file, for the template.
#[derive(Template)]
#[template(path = "go/stubs.go.txt", escape = "none")]
struct Stubs<'a> {
    version: &'static str,
    file: &'a GoFile,
    services: Vec<ServiceStubs<'a>>,
    /// Parts of a string literal.
    descriptors: Vec<String>,
}

struct ServiceStubs<'a> {
    service: &'a GoService,
    docs: Vec<String>,
    methods: Vec<MethodStubs<'a>>,
}

impl<'a> Stubs<'a> {
    fn new(file: &'a GoFile) -> Self {
        let services = file
            .services
            .iter()
            .map(|service| ServiceStubs::new(service, file))
            .collect();
        Self {
            version: VERSION,
            file,
            services,
            descriptors: literal(&file.descriptors),
        }
    }
}

impl<'a> ServiceStubs<'a> {
    fn new(service: &'a GoService, file: &GoFile) -> Self {
        let GoService {
            contract,
            name,
            error,
            methods,
        } = service;
        let default = format!(
            "{} is implemented by a guest that exports {}.",
            name.item, contract.full_name
        );
        let notes = left_out(&contract.left_out)
            .into_iter()
            .chain(doc::deprecation(contract.deprecated, file));
        let docs = doc::lines(&contract.docs, default, notes.collect());
        let methods = methods
            .iter()
            .map(|method| MethodStubs::new(method, error, file))
            .collect();
        Self {
            service,
            docs,
            methods,
        }
    }
}

/// Returns the documentation that lists methods left out.
fn left_out(methods: &[Rpc]) -> Option<String> {
    let names: Vec<_> = methods.iter().map(|rpc| rpc.proto.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "Methods left out because they stream: {}.",
            names.join(", ")
        )
    })
}

/// Returns bytes as a string literal in parts, each ending with a line feed. In descriptors most
/// fields begin with the byte of a line feed.
fn literal(bytes: &[u8]) -> Vec<String> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(|part| part.iter().map(|byte| escape(*byte)).collect())
        .collect()
}

fn escape(byte: u8) -> String {
    match byte {
        b'\n' => "\\n".to_owned(),
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_make_a_literal() {
        assert_eq!(
            literal(b"\n\x00a\"\\\n\xff"),
            ["\\n", "\\x00a\\\"\\\\\\n", "\\xff"]
        );
    }
}
