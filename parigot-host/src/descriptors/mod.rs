//! Descriptors of the guests' `.proto` files: where a guest carries them, and their use.
//!
//! | file | responsibility |
//! |---|---|
//! | `section.rs` | the custom section of a wasm module |
//! | `pool.rs` | the files of a guest, each once |
//! | `schemas.rs` | all exported services: methods, errors, files, JSON |
//! | `errors.rs` | errors of a service, and their codes |
//! | `json.rs` | JSON of messages |
//! | `well_known.rs` | files of `google/protobuf/*` |

#[cfg(feature = "json")]
mod errors;
#[cfg(feature = "json")]
mod json;
pub(crate) mod pool;
#[cfg(feature = "json")]
mod schemas;
pub(crate) mod section;
#[cfg(feature = "json")]
mod well_known;

#[cfg(feature = "json")]
pub use self::{
    errors::ServiceErrorValue,
    json::JsonError,
    schemas::{MethodSchema, SchemaFile, Schemas, UnusableSchema},
};
