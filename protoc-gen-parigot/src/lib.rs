//! The protoc plugin of parigot: turns the services of `.proto` files into stubs for guests, and
//! their messages into types.
//!
//! The plugin [lowers](lower) descriptors to a [`model`], which the emitter of each language
//! prints. All checks of a `.proto` are made while lowering, and all errors are reported together.
//! An emitter never rejects a `.proto`.
//!
//! | module | responsibility |
//! |---|---|
//! | [`request`] | the decoded `CodeGeneratorRequest` |
//! | [`options`] | the parameters of a run, `--parigot_opt` |
//! | [`name`] | the spelling of names in Rust and Go |
//! | [`symbol`] | the names that both sides of a call must agree on |
//! | [`schema_hash`] | the hash of a service's schema, compared by both sides of a call |
//! | [`lower`] | descriptors to model, with all checks |
//! | [`model`] | plain data between lowering and printing |
//! | [`rust`], [`go`] | the emitters |

pub mod error;
mod float;
pub mod go;
pub mod lower;
pub mod model;
pub mod name;
pub mod options;
mod output;
mod protos;
pub mod request;
pub mod rust;
pub mod schema_hash;
pub mod symbol;
mod warning;

pub use crate::error::{Error, Location};
use crate::options::{Language, Options};
pub use crate::output::{OutputFile, VERSION};
pub use crate::protos::{OPTIONS_PROTO_NAME, PROTOS, write_protos};
pub use crate::request::Request;
pub use crate::warning::Warning;

/// Generates the files that a request asks for.
///
/// The function reads no clock, environment or file, so equal requests give equal bytes.
///
/// # Errors
///
/// Returns all errors in the options or, if the options are valid, all errors in the `.proto`
/// files.
pub fn generate(request: &Request) -> Result<Vec<OutputFile>, Vec<Error>> {
    let options = Options::parse(&request.parameter)?;
    match options.language {
        Language::Rust => rust::emit(&lower::model(request, &options)?, options.rust.mod_file),
        Language::Go => Ok(go::emit(&lower::go::files(request, &options)?)),
    }
}

/// Returns warnings about the `.proto` files of a request that [`generate`] accepts.
pub fn warnings(request: &Request) -> Vec<Warning> {
    let options = Options::parse(&request.parameter);
    options.map_or_else(|_| Vec::new(), |options| lower::warnings(request, &options))
}
