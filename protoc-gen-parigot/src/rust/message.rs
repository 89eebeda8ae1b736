//! Messages and enums, made by prost-build.

use prost_build::{Config, Module};
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;

use super::doc;
use crate::error::Error;
use crate::model::{Messages, docs_number};

/// The items of prost's text for one file, with comments where their marks are.
pub(super) fn items(text: &str, docs: &[Vec<String>]) -> syn::Result<Vec<syn::Item>> {
    let mut file = syn::parse_file(text)?;
    PutDocs(docs).visit_file_mut(&mut file);
    PlainDebug.visit_file_mut(&mut file);
    Ok(file.items)
}

/// prost's texts for each package, by its index: one for each file.
pub(super) fn texts(messages: &Messages, packages: usize) -> Result<Vec<Vec<String>>, Error> {
    // prost takes the module for nothing but a key.
    let key = |index: usize| Module::from_parts([index.to_string()]);
    let files = messages
        .files
        .iter()
        .enumerate()
        .map(|(index, (_, file))| (key(index), file.clone()))
        .collect();
    let mut written = config(messages)
        .generate(files)
        .map_err(|source| Error::Messages { source })?;
    let mut texts = vec![Vec::new(); packages];
    for (index, (package, _)) in messages.files.iter().enumerate() {
        // There is none of what is not generated, as the stand-ins are not.
        if let (Some(package), Some(text)) = (package, written.remove(&key(index))) {
            texts[*package].push(text);
        }
    }
    Ok(texts)
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
        let marked = attributes
            .iter()
            .enumerate()
            .find_map(|(at, attribute)| Some((at, self.lines(attribute)?)));
        if let Some((at, lines)) = marked {
            let mark = attributes[at].clone();
            let lines = doc::lines(lines)
                .into_iter()
                .map(|line| with_text(mark.clone(), &line));
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
        if item
            .variants
            .iter()
            .any(|variant| breaks_debug(&variant.attrs))
        {
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
        attribute
            .path()
            .is_ident("prost")
            .then(|| attribute.parse_args_with(parts).ok())
            .flatten()
    };
    attributes.iter().filter_map(parts).flatten().any(|part| {
        let value = string(&part);
        part.path().is_ident("btree_map")
            || part.path().is_ident("enumeration")
                && value.is_some_and(|name| OWN.contains(&name.as_str()))
    })
}

/// `#[name = "text"]` with another text.
fn with_text(mut attribute: syn::Attribute, text: &str) -> syn::Attribute {
    if let syn::Meta::NameValue(syn::MetaNameValue {
        value: syn::Expr::Lit(value),
        ..
    }) = &mut attribute.meta
    {
        value.lit = syn::Lit::Str(syn::LitStr::new(text, value.lit.span()));
    }
    attribute
}

/// The text of `name = "text"`.
fn string(meta: &syn::Meta) -> Option<String> {
    let syn::Meta::NameValue(syn::MetaNameValue { value, .. }) = meta else {
        return None;
    };
    match value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}
