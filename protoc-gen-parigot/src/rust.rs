//! The Rust emitter: one file for each package, with its messages and stubs, and `mod.rs`, which nests them.

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
use crate::OutputFile;
use crate::error::Error;
use crate::model::{Model, Package};

/// Prints a model; `mod_file` says whether `mod.rs` is wanted.
///
/// # Errors
///
/// Faults of ours or of prost's alone: what can be wrong with a `.proto` was found before.
pub fn emit(model: &Model, mod_file: bool) -> Result<Vec<OutputFile>, Vec<Error>> {
    let messages = message::items(model).map_err(|error| vec![error])?;
    let mut files = Vec::new();
    let mut printed = Vec::new();
    let mut errors = Vec::new();
    for (package, messages) in model.packages.iter().zip(messages) {
        if messages.is_empty() && package.services.is_empty() && package.errors.is_empty() {
            continue;
        }
        match print::file(&package.file, &package.sources, &file_items(package, &messages)) {
            Ok(file) => files.push(file),
            Err(error) => errors.push(error),
        }
        printed.push(package);
    }
    if mod_file {
        files.push(module::mod_file(&printed));
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

/// A package's file: the handshake, the messages, then what belongs to each service.
fn file_items(package: &Package, messages: &[syn::Item]) -> TokenStream {
    let errors = package.errors.iter().map(ErrorItems);
    let services = package.services.iter().map(|service| {
        let (server, method, client) = (ServerItems(service), MethodItems(service), ClientItems(service));
        quote! { #server #method #client }
    });
    let handshake = handshake();
    let insertions = insertion_point("module");
    quote! { #handshake #(#messages)* #(#errors)* #(#services)* #insertions }
}

/// Fails to compile against a runtime of another ABI.
fn handshake() -> TokenStream {
    quote! { const _: () = ::parigot_guest::ABI_V1; }
}

/// `#[doc = …]` for each line, or for the lines that stand in where there is no comment.
struct Docs<'a>(&'a [String], String);

impl ToTokens for Docs<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Docs(comment, default) = self;
        let lines = if comment.is_empty() { doc::lines(std::slice::from_ref(default)) } else { doc::lines(comment) };
        tokens.extend(quote! { #(#[doc = #lines])* });
    }
}

/// `#[deprecated]`, if so.
fn deprecated(deprecated: bool) -> Option<TokenStream> {
    deprecated.then(|| quote! { #[deprecated] })
}
