//! Every operation of the OpenAPI document with every kind of credential, against the table in `docs/access.md`.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tasklane_domain::access::{Credential, Role};

use crate::access::{Guarded, bearer};
use crate::documents::{docs, examples, operations, request};

/// A row of the document: the least role, or none, and the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    least: Option<Role>,
    place: String,
}

/// The document's table: method and path lead to the row.
pub(crate) fn table() -> BTreeMap<(String, String), Row> {
    let text = std::fs::read_to_string(docs("access.md")).unwrap();
    // Other tables name no path.
    let rows = text.lines().filter(|line| line.starts_with("| `") && line.split('`').nth(1).unwrap().contains(" /"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [operation, least, place] = cells[..] else { panic!("not a row: {line}") };
        let (method, path) = operation.trim_matches('`').split_once(' ').unwrap();
        let least = (least != "everybody").then(|| least.parse().unwrap());
        ((method.to_lowercase(), path.to_owned()), Row { least, place: place.to_owned() })
    };
    let all: Vec<_> = rows.map(row).collect();
    let count = all.len();
    let table: BTreeMap<_, _> = all.into_iter().collect();
    assert_eq!(table.len(), count, "an operation has two rows");
    table
}

#[test]
fn every_operation_has_a_row_and_no_other_is_there() {
    let document = serde_json::to_value(tasklane_api::openapi()).unwrap();
    let mut expected = operations(&document);
    // The dashboard's front page is no operation of the API, but has a handler.
    expected.insert(("get".to_owned(), "/".to_owned()));
    assert_eq!(table().into_keys().collect::<std::collections::BTreeSet<_>>(), expected);
}

/// Who asks.
pub(crate) struct Somebody {
    pub(crate) what: String,
    pub(crate) credential: Option<String>,
    /// The role that they have, and where.
    has: Option<(Role, &'static str)>,
}

pub(crate) async fn everybody(room: &Guarded) -> Vec<Somebody> {
    let nobody = |what: &str, credential: Option<String>| Somebody { what: what.to_owned(), credential, has: None };
    let mut all = vec![
        nobody("no credential", None),
        nobody("garbage", Some("garbage".to_owned())),
        nobody("an unknown token", Some(Credential::generate().reveal().to_string())),
        nobody("an expired token", Some(room.expired("*", Role::Admin).await)),
        nobody("a revoked token", Some(room.revoked("*", Role::Admin).await)),
    ];
    for role in Role::ALL {
        for place in ["acme", "*"] {
            let credential = Some(room.token(place, role).await);
            all.push(Somebody { what: format!("{role} in {place}"), credential, has: Some((role, place)) });
        }
    }
    let credential = Some(room.token("beta", Role::Admin).await);
    all.push(Somebody { what: "admin of another namespace".to_owned(), credential, has: Some((Role::Admin, "beta")) });
    all
}

/// What the table says: 401, 403, or let in.
pub(crate) fn expected(row: &Row, who: &Somebody) -> Option<u16> {
    let least = row.least?;
    let Some((role, place)) = who.has else { return Some(401) };
    let reaches = match (row.place.as_str(), place) {
        ("anywhere", _) | (_, "*") | ("query" | "module" | "path" | "body" | "list", "acme") => true,
        ("cluster", _) | (_, "beta") => false,
        other => panic!("a place that is not known: {other:?}"),
    };
    if reaches && role >= least { None } else { Some(403) }
}

/// The example's request, about namespace `acme`.
async fn about_acme(method: &str, template: &str, path: &str, place: &str) -> Request<Body> {
    let mark = if path.contains('?') { '&' } else { '?' };
    let path = match place {
        "query" | "module" | "list" => format!("{path}{mark}namespace=acme"),
        _ => path.to_owned(),
    };
    let request = request(method, template, &path);
    if place != "body" {
        return request;
    }
    let (parts, body) = request.into_parts();
    let mut body: Value = serde_json::from_slice(&to_bytes(body, usize::MAX).await.unwrap()).unwrap();
    let said = if body["tasks"].is_array() {
        &mut body["tasks"][0]
    } else if body["task"].is_object() {
        &mut body["task"]
    } else {
        &mut body
    };
    said["namespace"] = json!("acme");
    Request::from_parts(parts, body.to_string().into())
}

#[tokio::test]
async fn everybody_may_do_what_the_table_says_and_nothing_else() {
    let room = Guarded::new().await;
    let (id, batch) = ("0198c0de-7a5c-7000-8000-000000000000", "0198c0de-7a5c-7000-8000-000000000001");
    let (table, people) = (table(), everybody(&room).await);
    let mut tried = 0;
    for (method, template, path, _) in examples(id, batch, id) {
        let row = &table[&(method.to_owned(), template.to_owned())];
        for who in &people {
            let mut request = about_acme(method, template, &path, &row.place).await;
            if (method, template) == ("post", "/api/v1/tokens") {
                // What a token gives, its maker has to have: tried in `access.rs`.
                let place = who.has.map_or("acme", |(_, place)| place);
                *request.body_mut() = json!({"name": "ci", "grants": {place: "viewer"}}).to_string().into();
            }
            if let Some(credential) = &who.credential {
                request.headers_mut().insert(header::AUTHORIZATION, bearer(credential));
            }
            let answer = room.send(request).await;
            let what = format!("{method} {template} with {}: {}", who.what, answer.text());
            match expected(row, who) {
                Some(401) => {
                    answer.problem(401, "unauthenticated");
                    assert!(answer.header("www-authenticate").starts_with("Bearer"), "{what}");
                }
                Some(403) => drop(answer.problem(403, "permission_denied")),
                _ => {
                    assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
                    let is_refused =
                        answer.status == StatusCode::FORBIDDEN && answer.text().contains("permission_denied");
                    assert!(!is_refused, "{what}");
                    assert!(!answer.status.is_server_error() || answer.status == 501, "{what}");
                }
            }
            tried += 1;
        }
    }
    assert!(tried > 1_000, "{tried}");
}
