//! Two pipes and one call: a request on standard input, a response on standard output.

use std::error::Error as _;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use prost::Message;
use prost_types::compiler::CodeGeneratorResponse;
use prost_types::compiler::code_generator_response::{Feature, File};
use protoc_gen_parigot::{Error, OutputFile, Request, VERSION, generate};

const USAGE: &str = "usage: protoc --parigot_out=DIR [--parigot_opt=OPTION,…] FILE.proto… \
                     (with protoc-gen-parigot on the path); protoc-gen-parigot --version";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--version") => {
            println!("protoc-gen-parigot {VERSION}");
            return ExitCode::SUCCESS;
        }
        Some(_) => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    match run(io::stdin().lock(), io::stdout().lock()) {
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
    let request = Request::decode(&bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("unreadable request: {error}")))?;
    output.write_all(&response(generate(&request)).encode_to_vec())?;
    output.flush()
}

fn response(result: Result<Vec<OutputFile>, Vec<Error>>) -> CodeGeneratorResponse {
    let mut response =
        CodeGeneratorResponse { supported_features: Some(Feature::Proto3Optional as u64), ..Default::default() };
    match result {
        Ok(files) => response.file = files.into_iter().map(response_file).collect(),
        Err(errors) => response.error = Some(errors.iter().map(chain).collect::<Vec<_>>().join("\n")),
    }
    response
}

fn response_file(OutputFile { name, content }: OutputFile) -> File {
    File { name: Some(name), content: Some(content), ..Default::default() }
}

/// An error and what caused it, in one line.
fn chain(error: &Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}
