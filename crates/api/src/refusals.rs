//! What every operation may answer beside what its own lines say, written into the OpenAPI document.
//!
//! Called by [`crate::routes`]. A parameter that is given twice, a missing token, a limit of requests or a database that is away concern all of them.

use utoipa::openapi::content::Content;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{OpenApi, Ref, RefOr, ResponseBuilder};

const PROBLEM: &str = "application/problem+json";
/// Statuses and what they say, where an operation does not say it better.
const ALL: [(&str, &str); 2] =
    [("4XX", "Refused: its code says why"), ("503", "Something that it needs is away; try again")];

/// Adds them.
pub(crate) fn describe(mut document: OpenApi) -> OpenApi {
    document.paths.paths.values_mut().flat_map(operations).for_each(operation);
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

fn operation(operation: &mut Operation) {
    for (status, what) in ALL {
        let problem = || {
            let content = Content::new(Some(Ref::from_schema_name("Problem")));
            RefOr::T(ResponseBuilder::new().description(what).content(PROBLEM, content).build())
        };
        operation.responses.responses.entry(status.to_owned()).or_insert_with(problem);
    }
}
