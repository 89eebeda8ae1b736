//! Attributes that several items have: documentation and deprecation.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use super::doc;

/// `#[doc = …]` for each line of a comment, or for the default text if there is no comment.
pub(super) struct Docs<'a>(pub(super) &'a [String], pub(super) String);

impl ToTokens for Docs<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Docs(comment, default) = self;
        let lines = if comment.is_empty() {
            doc::lines(std::slice::from_ref(default))
        } else {
            doc::lines(comment)
        };
        tokens.extend(quote! { #(#[doc = #lines])* });
    }
}

/// Returns `#[deprecated]` if the item is deprecated.
pub(super) fn deprecated(deprecated: bool) -> Option<TokenStream> {
    deprecated.then(|| quote! { #[deprecated] })
}
