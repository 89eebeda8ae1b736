//! The Rust emitter: one file for each package, with its messages and stubs, and `mod.rs`, which nests them.

mod attributes;
mod client;
mod doc;
mod error;
mod message;
mod method;
mod module;
mod print;
mod server;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use self::client::ClientItems;
use self::error::ErrorItems;
use self::method::MethodItems;
use self::print::insertion_point;
use self::server::ServerItems;
use crate::error::Error;
use crate::model::{Model, Package};
use crate::output::OutputFile;

/// Prints a model; `mod_file` says whether `mod.rs` is wanted.
///
/// # Errors
///
/// Faults of ours or of prost's alone: what can be wrong with a `.proto` was found before.
pub fn emit(model: &Model, mod_file: bool) -> Result<Vec<OutputFile>, Vec<Error>> {
    let messages =
        message::texts(&model.messages, model.packages.len()).map_err(|error| vec![error])?;
    let mut files = Vec::new();
    let mut printed = Vec::new();
    let mut errors = Vec::new();
    for (package, messages) in model.packages.iter().zip(messages) {
        if messages.is_empty() && package.services.is_empty() && package.errors.is_empty() {
            continue;
        }
        match items(package, &messages, &model.messages.docs) {
            Ok(items) => files.push(print::file(&package.file, &package.sources, &items)),
            Err(source) => errors.push(Error::Unparsable {
                file: package.file.clone(),
                source,
            }),
        }
        printed.push(package);
    }
    if mod_file {
        files.push(module::mod_file(&printed));
    }
    if errors.is_empty() {
        Ok(files)
    } else {
        Err(errors)
    }
}

/// What a package's file holds: the handshake, the messages, then what belongs to each service.
///
/// One part is text before the next is parsed: a syntax tree takes a hundred times the room.
fn items(package: &Package, messages: &[String], docs: &[Vec<String>]) -> syn::Result<String> {
    let mut text = print::items(parse(handshake())?);
    for message in messages {
        text.push_str(&print::items(message::items(message, docs)?));
    }
    for error in &package.errors {
        text.push_str(&print::items(parse(ErrorItems(error).into_token_stream())?));
    }
    for service in &package.services {
        let parts: [&dyn ToTokens; 3] = [
            &ServerItems(service),
            &MethodItems(service),
            &ClientItems(service),
        ];
        for part in parts {
            text.push_str(&print::items(parse(part.to_token_stream())?));
        }
    }
    text.push_str(&print::items(parse(insertion_point("module"))?));
    Ok(text)
}

fn parse(tokens: TokenStream) -> syn::Result<Vec<syn::Item>> {
    syn::parse2(tokens).map(|file: syn::File| file.items)
}

/// Fails to compile against a runtime of another ABI.
fn handshake() -> TokenStream {
    quote! { const _: () = ::parigot_guest::ABI_V1; }
}
