//! The protoc plugin of parigot: services in `.proto` files become stubs for guests, with their messages.
//!
//! Descriptors are lowered to a [`model`], which an emitter for each language prints. Every complaint about a `.proto`
//! is made while [lowering](lower), and all of them at once; an emitter can no longer fail on one.
//!
//! The options stand in [`options`], the names in [`name`], and what both sides of a call must agree on in [`symbol`].

pub mod error;
pub mod go;
pub mod lower;
pub mod model;
pub mod name;
pub mod options;
mod output;
mod protos;
pub mod request;
pub mod rust;
pub mod symbol;

pub use crate::error::{Error, Location};
use crate::options::{Language, Options};
pub use crate::output::{OutputFile, VERSION};
pub use crate::protos::{OPTIONS_PROTO_NAME, PROTOS};
pub use crate::request::Request;

/// Everything between the two pipes: reads no clock, environment or file, so equal requests give equal bytes.
///
/// # Errors
///
/// All that is wrong with the options, else all that is wrong with the `.proto` files.
pub fn generate(request: &Request) -> Result<Vec<OutputFile>, Vec<Error>> {
    let options = Options::parse(&request.parameter)?;
    match options.language {
        Language::Rust => rust::emit(&lower::model(request, &options)?, options.rust.mod_file),
        Language::Go => Ok(go::emit(&lower::go::files(request, &options)?)),
    }
}
