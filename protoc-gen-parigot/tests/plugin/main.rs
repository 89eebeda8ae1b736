//! Tests of the plugin as a whole: with requests from the real `protoc`, and with malformed
//! requests.

mod buf;
mod command;
mod descriptors;
mod errors;
mod external;
mod go;
mod golden;
mod hostile;
mod imports;
mod mutations;
mod protoc;
mod scaling;
mod schema;
mod warnings;
