//! The plugin as a command: reads a request from standard input and writes the response to standard
//! output.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use prost::Message;
use prost_types::compiler::CodeGeneratorResponse;
use prost_types::compiler::code_generator_response::{Feature, File};
use protoc_gen_parigot::{Error, OutputFile, Request, VERSION, generate, warnings, write_protos};

const USAGE: &str = "\
usage: protoc --parigot_out=DIR [--parigot_opt=OPTION,…] FILE.proto…
           run by protoc, which finds protoc-gen-parigot on the path
       protoc-gen-parigot --version
       protoc-gen-parigot --write-protos DIR
           write the .proto files that users import below DIR, for --proto_path=DIR";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        [] => run(io::stdin().lock(), io::stdout().lock()),
        ["--help" | "-h"] => writeln!(io::stdout(), "{USAGE}"),
        ["--version"] => writeln!(io::stdout(), "protoc-gen-parigot {VERSION}"),
        ["--write-protos", folder] => write_protos(Path::new(folder)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("protoc-gen-parigot: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    let request = Request::decode(&bytes).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("unreadable request: {error}"),
        )
    })?;
    // The request of a large collection of files takes a hundred megabytes, as does the response:
    // the two are not held at the same time.
    drop(bytes);
    let generated = generate(&request);
    if generated.is_ok() {
        for warning in warnings(&request) {
            eprintln!("warning: {warning}");
        }
    }
    let response = response(generated).encode_to_vec();
    // prost's `CodeGeneratorResponse` has no fields for editions. Concatenated messages merge when
    // they are decoded, so a second message adds these fields.
    let editions = Editions {
        minimum: EDITION_PROTO2,
        maximum: EDITION_2024,
    }
    .encode_to_vec();
    output.write_all(&response)?;
    output.write_all(&editions)?;
    output.flush()
}

/// Supported editions, as fields of a `CodeGeneratorResponse`.
#[derive(Clone, Copy, PartialEq, Message)]
struct Editions {
    #[prost(int32, tag = "3")]
    minimum: i32,
    #[prost(int32, tag = "4")]
    maximum: i32,
}

const EDITION_PROTO2: i32 = 998;
const EDITION_2024: i32 = 1001;
/// Value of `FEATURE_SUPPORTS_EDITIONS`.
const EDITIONS: u64 = 2;

fn response(result: Result<Vec<OutputFile>, Vec<Error>>) -> CodeGeneratorResponse {
    let supported_features = Some(Feature::Proto3Optional as u64 | EDITIONS);
    let mut response = CodeGeneratorResponse {
        supported_features,
        ..Default::default()
    };
    match result {
        Ok(files) => response.file = files.into_iter().map(response_file).collect(),
        Err(errors) => {
            response.error = Some(
                errors
                    .iter()
                    .map(Error::chain)
                    .collect::<Vec<_>>()
                    .join("\n"),
            )
        }
    }
    response
}

fn response_file(OutputFile { name, content }: OutputFile) -> File {
    File {
        name: Some(name),
        content: Some(content),
        ..Default::default()
    }
}
