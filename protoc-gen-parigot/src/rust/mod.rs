//! The Rust emitter: writes one file for each package, with its messages and stubs, and `mod.rs`,
//! which nests the packages.

mod attributes;
mod client;
mod doc;
mod error;
mod message;
mod method;
mod module;
mod print;
mod server;

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};

use self::client::ClientItems;
use self::error::ErrorItems;
use self::method::MethodItems;
use self::module::Tree;
use self::print::insertion_point;
use self::server::ServerItems;
use crate::error::Error;
use crate::model::{Model, Package};
use crate::output::OutputFile;

/// Prints a model, and `mod.rs` if `mod_file` is set.
///
/// # Errors
///
/// Returns only defects of this plugin or of prost: errors in a `.proto` are found while lowering.
pub fn emit(model: &Model, mod_file: bool) -> Result<Vec<OutputFile>, Vec<Error>> {
    let messages =
        message::texts(&model.messages, model.packages.len()).map_err(|error| vec![error])?;
    let printed: Vec<_> = model
        .packages
        .iter()
        .zip(messages)
        .filter(|(package, messages)| {
            !(messages.is_empty() && package.services.is_empty() && package.errors.is_empty())
        })
        .collect();
    let mut tree = Tree::new(printed.iter().map(|(package, _)| *package));
    let mut files = Vec::new();
    let mut errors = Vec::new();
    // Inner packages come first: a module within a module that moves must move before.
    for (package, messages) in printed.iter().rev() {
        let module = tree.module_of(package);
        match items(package, messages, &model.messages.docs, module) {
            Ok(items) => files.push(print::file(&package.file, &package.sources, &items)),
            Err(source) => errors.push(Error::Unparsable {
                file: package.file.clone(),
                source,
            }),
        }
    }
    files.reverse();
    if mod_file {
        files.push(module::mod_file(&tree));
    }
    if errors.is_empty() {
        Ok(files)
    } else {
        Err(errors)
    }
}

/// Prints the content of a package's file: the ABI check, the descriptors, the messages, then the
/// items of each service.
///
/// Each part is printed before the next is parsed, because a syntax tree takes about a hundred
/// times the memory of its text.
fn items(
    package: &Package,
    messages: &[String],
    docs: &[Vec<String>],
    module: &mut Tree<'_>,
) -> syn::Result<String> {
    let mut text = print::items(parse(abi_check())?);
    if !package.services.is_empty() {
        text.push_str(&print::items(parse(descriptors(&package.descriptors))?));
    }
    for message in messages {
        let mut items = message::items(message, docs)?;
        module.move_into(&mut items)?;
        text.push_str(&print::items(items));
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

/// Returns an item that does not compile with an SDK of another ABI.
fn abi_check() -> TokenStream {
    quote! { const _: () = ::parigot_guest::ABI_V2; }
}

/// Returns the module with the descriptors of a package. The tables of services refer to it, so
/// that a guest with one of the services has the descriptors.
fn descriptors(bytes: &[u8]) -> TokenStream {
    let bytes = Literal::byte_string(bytes);
    quote! {
        #[doc(hidden)]
        pub mod __descriptors {
            ::parigot_guest::__descriptors!(#bytes);
        }
    }
}
