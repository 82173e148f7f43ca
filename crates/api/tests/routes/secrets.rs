//! `/api/v1/secrets`: set, listed, removed, sealed anew; no answer and no row has a value.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
use tasklane_api::ApiSettings;
use tasklane_seal::KeyRing;

use crate::support::{Answer, Room};

const PATH: &str = "/api/v1/secrets";
const VALUE: &str = "correct-horse-battery-staple";

pub(crate) fn keyed(lines: &[&str]) -> ApiSettings {
    ApiSettings { secret_keys: KeyRing::parse(&lines.join("\n")).unwrap(), ..ApiSettings::default() }
}

pub(crate) fn line() -> String {
    KeyRing::generate_line().unwrap()
}

async fn put(room: &Room, name: &str, body: &serde_json::Value) -> Answer {
    room.request("PUT", &format!("{PATH}/{name}"), body).await
}

async fn delete(room: &Room, name: &str) -> Answer {
    room.send(Request::delete(format!("{PATH}/{name}")).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn secrets_are_set_listed_and_removed() {
    let room = Room::with(keyed(&[&line()])).await;
    let first = put(&room, "stripe-key", &json!({"value": VALUE})).await;
    assert_eq!((first.status, first.json()["version"].as_u64()), (StatusCode::OK, Some(1)), "{}", first.text());
    let second = put(&room, "stripe-key", &json!({"value_base64": "AP8="})).await;
    assert_eq!(second.json()["version"], 2);
    put(&room, "other?namespace=team-b", &json!({"value": VALUE})).await;
    let list = room.get(PATH).await;
    let names: Vec<_> = list.json()["secrets"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["stripe-key"], "namespaces are apart");
    for answer in [&first, &second, &list] {
        assert!(!answer.text().contains(VALUE), "{}", answer.text());
    }
    assert_eq!(delete(&room, "stripe-key").await.status, StatusCode::NO_CONTENT);
    delete(&room, "stripe-key").await.problem(404, "secret_not_found");
    delete(&room, "other").await.problem(404, "secret_not_found");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_without_a_word_of_it() {
    let room = Room::with(keyed(&[&line()])).await;
    let bodies = [
        json!({}),
        json!({"value": VALUE, "value_base64": "AA=="}),
        json!({"value": 12_345_678}),
        json!({"value": ""}),
        json!({"value": "x".repeat(65_537)}),
        json!({"value_base64": "!correct-horse"}),
        json!({"secret": VALUE}),
        json!([VALUE]),
        json!(VALUE),
    ];
    for body in bodies {
        let answer = put(&room, "a", &body).await;
        answer.problem(422, "secret_invalid");
        for part in ["horse", "12345678", "xxxx"] {
            assert!(!answer.text().contains(part), "{}", answer.text());
        }
    }
    put(&room, "Not-A-Name", &json!({"value": VALUE})).await.problem(422, "secret_invalid");
    put(&room, "a?namespac=b", &json!({"value": VALUE})).await.problem(400, "invalid_query");
    assert_eq!(room.get(PATH).await.json(), json!({"secrets": []}));
}

#[tokio::test]
async fn a_server_without_a_key_says_how_to_get_one() {
    let room = Room::new().await;
    let problem = put(&room, "a", &json!({"value": VALUE})).await.problem(501, "secrets_not_configured");
    assert!(problem["hint"].as_str().unwrap().contains("secrets_key_file"), "{problem}");
    room.post("/api/v1/cluster/secrets/reseal", &json!({})).await.problem(501, "secrets_not_configured");
    assert_eq!(room.get(PATH).await.status, StatusCode::OK, "names can be listed all the same");
}

#[tokio::test]
async fn another_key_seals_everything_anew() {
    let (old, new) = (line(), line());
    let room = Room::with(keyed(&[&old])).await;
    let set = put(&room, "a", &json!({"value": VALUE})).await.json();
    let both = room.again(keyed(&[&new, &old]));
    let path = "/api/v1/cluster/secrets/reseal";
    let done = both.post(path, &json!({})).await.json();
    assert_eq!((done["resealed"].as_u64(), done["unchanged"].as_u64()), (Some(1), Some(0)));
    assert_ne!(done["key_id"], set["key_id"]);
    assert_eq!(both.post(path, &json!({})).await.json()["unchanged"], 1);
    assert_eq!(both.get(PATH).await.json()["secrets"][0]["version"], 1, "it is the same value");
    room.post(path, &json!({})).await.problem(409, "secret_key_unknown");
}
