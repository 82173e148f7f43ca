//! Tags and conditions in the OpenAPI document, written where the code says what has tags.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{OpenApi, RefOr, Required};

use super::TAGGED;

/// Adds the headers to every operation that has them.
pub(crate) fn describe(mut document: OpenApi) -> OpenApi {
    for tagged in &TAGGED {
        if let Some(item) = document.paths.paths.get_mut(tagged.path) {
            item_of(item);
        }
    }
    document
}

fn item_of(item: &mut PathItem) {
    if let Some(get) = item.get.as_mut() {
        asks(get, "If-None-Match", "A tag that is known: 304 if it is still that");
        shows(get);
        get.responses.responses.insert("304".to_owned(), RefOr::T(utoipa::openapi::Response::new("It is as it was")));
    }
    for change in [&mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten() {
        asks(change, "If-Match", "Only if its ETag is this one, or `*`: only if it is there; else 412");
        asks(change, "If-None-Match", "`*`: only if nothing is there; else 412");
        shows(change);
    }
}

fn asks(operation: &mut Operation, name: &str, what: &str) {
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(what))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
    operation.parameters.get_or_insert_default().push(RefOr::T(parameter.build()));
}

fn shows(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if matches!(status.as_str(), "200" | "201") {
            let header = HeaderBuilder::new()
                .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                .description(Some("What it is now, less what moves by itself: for If-Match and If-None-Match"));
            response.headers.insert("ETag".to_owned(), RefOr::T(header.build()));
        }
    }
}
