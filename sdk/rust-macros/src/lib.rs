//! The `#[task]` attribute: one function becomes the module's handler. Use it through `tasklane_sdk::prelude`.

use proc_macro::TokenStream;
use quote::quote;
use syn::{Error, FnArg, ItemFn, ReturnType, Type};

/// Makes `fn name(ctx: &Context, input: In) -> Result<Out, TaskError>` the module's handler.
///
/// `In` is read from the payload's JSON and `Out` written as JSON; `Bytes` on either side passes bytes through.
#[proc_macro_attribute]
pub fn task(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let Ok(function) = syn::parse::<ItemFn>(item.clone()) else {
        let message = "#[task] belongs on a function: `fn name(ctx: &Context, input: In) -> Result<Out, TaskError>`";
        return Error::new_spanned(proc_macro2::TokenStream::from(item), message).to_compile_error().into();
    };
    let checked = if attribute.is_empty() {
        check(&function)
    } else {
        Err(Error::new(proc_macro2::Span::call_site(), "#[task] takes no arguments"))
    };
    match checked {
        Ok(()) => expand(&function).into(),
        Err(error) => error.to_compile_error().into(),
    }
}

fn check(function: &ItemFn) -> Result<(), Error> {
    let signature = &function.sig;
    if let Some(found) = &signature.asyncness {
        return Err(Error::new_spanned(found, "a task is a plain function: remove `async`"));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "a task cannot be generic: name its input and output types",
        ));
    }
    if signature.inputs.len() != 2 || signature.inputs.iter().any(|input| matches!(input, FnArg::Receiver(_))) {
        return Err(Error::new_spanned(&signature.inputs, "a task takes two arguments: `ctx: &Context, input: In`"));
    }
    if matches!(signature.output, ReturnType::Default) {
        return Err(Error::new_spanned(&signature.ident, "a task returns `Result<Out, TaskError>`"));
    }
    match signature.inputs.first() {
        Some(FnArg::Typed(first)) if !matches!(*first.ty, Type::Reference(_)) => {
            Err(Error::new_spanned(&first.ty, "a task borrows its context: `ctx: &Context`"))
        }
        _ => Ok(()),
    }
}

fn expand(function: &ItemFn) -> proc_macro2::TokenStream {
    let name = &function.sig.ident;
    quote! {
        #function

        // Natively, too, its types are looked at where it is written.
        #[cfg(not(target_family = "wasm"))]
        const _: fn(&::tasklane_sdk::Context, &[u8]) -> ::core::result::Result<::std::vec::Vec<u8>, ::tasklane_sdk::TaskError> =
            |ctx, input| ::tasklane_sdk::handle(#name, ctx, input);

        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Handler;

            impl ::tasklane_sdk::guest::Handler for Handler {
                fn handle(ctx: &::tasklane_sdk::Context, input: &[u8]) -> ::core::result::Result<::std::vec::Vec<u8>, ::tasklane_sdk::TaskError> {
                    ::tasklane_sdk::handle(#name, ctx, input)
                }
            }

            ::tasklane_sdk::guest::export_handler!(Handler);
        };
    }
}
