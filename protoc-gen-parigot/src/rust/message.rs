//! Messages and enums, made by prost-build.

use prost_build::{Config, Module};
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;

use super::doc;
use crate::error::Error;
use crate::model::{Messages, docs_number};

/// The items of one package, of prost's text for it, with comments where their marks are.
pub(super) fn items(text: &str, docs: &[Vec<String>]) -> syn::Result<Vec<syn::Item>> {
    let mut file = syn::parse_file(text)?;
    PutDocs(docs).visit_file_mut(&mut file);
    PlainDebug.visit_file_mut(&mut file);
    Ok(file.items)
}

/// prost's text for each package, by its index.
pub(super) fn texts(messages: &Messages, packages: usize) -> Result<Vec<String>, Error> {
    // prost takes the module for nothing but a key; the stand-ins have none, and make no text.
    let key = |package: Option<usize>| Module::from_parts(package.map(|index| index.to_string()));
    let files = messages.files.iter().map(|(package, file)| (key(*package), file.clone())).collect();
    let mut texts = config(messages).generate(files).map_err(|source| Error::Messages { source })?;
    Ok((0..packages).map(|package| texts.remove(&key(Some(package))).unwrap_or_default()).collect())
}

fn config(messages: &Messages) -> Config {
    let mut config = Config::new();
    config
        .prost_path("::parigot_guest::prost")
        .compile_well_known_types()
        // std's maps need std.
        .btree_map(["."]);
    for (proto, rust) in &messages.extern_paths {
        config.extern_path(proto, rust);
    }
    config
}

/// Puts comments where their marks are.
struct PutDocs<'a>(&'a [Vec<String>]);

impl VisitMut for PutDocs<'_> {
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<syn::Attribute>) {
        let marked = attributes.iter().enumerate().find_map(|(at, attribute)| Some((at, self.lines(attribute)?)));
        if let Some((at, lines)) = marked {
            let lines = doc::lines(lines).into_iter().map(|line| syn::parse_quote! { #[doc = #line] });
            attributes.splice(at..=at, lines);
        }
    }
}

impl PutDocs<'_> {
    fn lines(&self, attribute: &syn::Attribute) -> Option<&[String]> {
        Some(self.0.get(docs_number(&string(&attribute.meta)?)?)?)
    }
}

/// Has some messages print themselves as any struct does, where the code of prost's derive would not compile.
struct PlainDebug;

impl VisitMut for PlainDebug {
    fn visit_item_struct_mut(&mut self, item: &mut syn::ItemStruct) {
        if item.fields.iter().any(|field| breaks_debug(&field.attrs)) {
            plain_debug(&mut item.attrs);
        }
    }

    fn visit_item_enum_mut(&mut self, item: &mut syn::ItemEnum) {
        if item.variants.iter().any(|variant| breaks_debug(&variant.attrs)) {
            plain_debug(&mut item.attrs);
        }
    }
}

fn plain_debug(attributes: &mut Vec<syn::Attribute>) {
    attributes.push(syn::parse_quote! { #[prost(skip_debug)] });
    attributes.push(syn::parse_quote! { #[derive(Debug)] });
}

/// Whether a field is a map, which prost's derive looks for in a crate called `::prost`, or of an enum whose name the
/// derive has for a type of its own.
fn breaks_debug(attributes: &[syn::Attribute]) -> bool {
    const OWN: [&str; 4] = ["Inner", "KeyWrapper", "ScalarWrapper", "ValueWrapper"];
    let parts = |attribute: &syn::Attribute| {
        let parts = Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated;
        attribute.path().is_ident("prost").then(|| attribute.parse_args_with(parts).ok()).flatten()
    };
    attributes.iter().filter_map(parts).flatten().any(|part| {
        let value = string(&part);
        part.path().is_ident("btree_map")
            || part.path().is_ident("enumeration") && value.is_some_and(|name| OWN.contains(&name.as_str()))
    })
}

/// The text of `name = "text"`.
fn string(meta: &syn::Meta) -> Option<String> {
    let syn::Meta::NameValue(syn::MetaNameValue { value, .. }) = meta else { return None };
    match value {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}
