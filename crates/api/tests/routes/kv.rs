//! `/api/v1/kv`: looked into and mended by operators.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tasklane_api::ApiSettings;
use tasklane_domain::kv::KvLimits;

use crate::support::{Answer, Room};

async fn put(room: &Room, path: &str, body: &Value) -> Answer {
    room.request("PUT", &format!("/api/v1/kv/{path}"), body).await
}

#[tokio::test]
async fn values_are_set_read_listed_and_deleted() {
    let room = Room::new().await;
    let set = put(&room, "shared:carts/a%2Fb%20%C3%BC", &json!({"value": "one", "ttl": "1h"})).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text());
    let entry = room.get("/api/v1/kv/shared:carts/a%2Fb%20%C3%BC").await.json();
    assert_eq!((entry["key"].as_str(), entry["value"].as_str()), (Some("a/b ü"), Some("one")));
    assert_eq!(entry["revision"], set.json()["revision"]);
    put(&room, "shared:carts/bytes", &json!({"value_base64": "AP8="})).await;
    assert_eq!(room.get("/api/v1/kv/shared:carts/bytes").await.json()["value_base64"], "AP8=");
    let page = room.get("/api/v1/kv/shared:carts?limit=1").await.json();
    assert_eq!(page, json!({"keys": ["a/b ü"], "next": "a/b ü"}));
    let rest = room.get("/api/v1/kv/shared:carts?prefix=b&after=a").await.json();
    assert_eq!(rest, json!({"keys": ["bytes"]}));
    assert_eq!(
        room.get("/api/v1/kv").await.json(),
        json!({"stores": [{"store": "shared:carts", "keys": 2, "bytes": 16}]})
    );
    assert_eq!(room.get("/api/v1/kv?namespace=b").await.json(), json!({"stores": []}));
    room.clock.advance(std::time::Duration::from_secs(3_601));
    room.get("/api/v1/kv/shared:carts/a%2Fb%20%C3%BC").await.problem(404, "kv_key_not_found");
    let delete = || room.send(Request::delete("/api/v1/kv/shared:carts/bytes").body(Body::empty()).unwrap());
    assert_eq!(delete().await.status, StatusCode::NO_CONTENT);
    delete().await.problem(404, "kv_key_not_found");
}

#[tokio::test]
async fn what_makes_no_sense_or_is_too_much_is_refused() {
    let kv = KvLimits { value_bytes: 8, ..KvLimits::default() };
    let room = Room::with(ApiSettings { kv, ..ApiSettings::default() }).await;
    put(&room, "carts/a", &json!({"value": "1"})).await.problem(422, "kv_invalid");
    put(&room, "shared:A/a", &json!({"value": "1"})).await.problem(422, "kv_invalid");
    put(&room, &format!("shared:a/{}", "k".repeat(513)), &json!({"value": "1"})).await.problem(422, "kv_invalid");
    put(&room, "shared:a/a", &json!({})).await.problem(422, "kv_invalid");
    put(&room, "shared:a/a", &json!({"value": "1", "ttl": "soon"})).await.problem(422, "duration_invalid");
    put(&room, "shared:a/a", &json!({"value": "123456789"})).await.problem(422, "kv_limit");
    room.get("/api/v1/kv/shared:a?limit=1001").await.problem(400, "invalid_query");
    room.get("/api/v1/kv/shared:a?pre=1").await.problem(400, "invalid_query");
}
