//! Tests of the plugin from outside: with the real `protoc`, and with requests that no `protoc` sends.

mod buf;
mod command;
mod descriptors;
mod errors;
mod external;
mod go;
mod golden;
mod mutations;
mod protoc;
mod scaling;
mod schema;
