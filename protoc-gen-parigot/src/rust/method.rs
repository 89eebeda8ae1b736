//! The module of a service: its table, and one type for each method.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};

use crate::model::{Contract, Method, Service};

pub(super) struct MethodItems<'a>(pub(super) &'a Service);

impl ToTokens for MethodItems<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let doc = format!(" The methods of `{}` on the wire.", self.0.contract.full_name);
        let module = &self.0.name.module;
        let table = self.service_table();
        let methods = self.0.methods.iter().map(|method| {
            let items = [method_struct(method), self.method_impl(method), self.serve_impl(method)];
            quote! { #(#items)* }
        });
        tokens.extend(quote! {
            #[doc = #doc]
            pub mod #module {
                #table
                #(#methods)*
            }
        });
    }
}

impl MethodItems<'_> {
    fn service_table(&self) -> TokenStream {
        let Service { contract: Contract { full_name, schema, .. }, methods, .. } = self.0;
        let schema: Literal = format!("{schema:#018x}").parse().expect("a hexadecimal number is a literal");
        let methods = methods.iter().map(|method| &method.rpc.proto);
        quote! {
            /// What guest and host must agree on.
            pub static SERVICE: ::parigot_guest::Service = ::parigot_guest::Service {
                name: #full_name,
                schema: #schema,
                methods: &[#(::parigot_guest::MethodInfo::new(#methods)),*],
            };
        }
    }

    fn method_impl(&self, Method { rpc, name, request, response }: &Method) -> TokenStream {
        let (item, index) = (&name.item, Literal::u32_unsuffixed(rpc.index));
        let (request, response, error) = (&request.in_service, &response.in_service, &self.0.error.in_service);
        quote! {
            impl ::parigot_guest::Method for #item {
                type Request = #request;
                type Response = #response;
                type Error = #error;
                const SERVICE: &'static ::parigot_guest::Service = &SERVICE;
                const INDEX: u32 = #index;
            }
        }
    }

    /// The thin call from the wire to the user's function.
    fn serve_impl(&self, Method { name, .. }: &Method) -> TokenStream {
        let (service, item, function) = (&self.0.name.item, &name.item, &name.function);
        // A method may be called `S`: `self::S` is still the method.
        quote! {
            impl<S: super::#service> ::parigot_guest::Serve<S> for self::#item {
                fn serve(
                    service: &S,
                    cx: &::parigot_guest::Context,
                    request: Self::Request,
                ) -> impl ::core::future::Future<Output = ::core::result::Result<Self::Response, Self::Error>> {
                    super::#service::#function(service, cx, request)
                }
            }
        }
    }
}

fn method_struct(Method { rpc, name, .. }: &Method) -> TokenStream {
    let doc = format!(" The method `{}` on the wire.", rpc.proto);
    let item = &name.item;
    quote! {
        #[doc = #doc]
        pub struct #item;
    }
}
