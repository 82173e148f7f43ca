//! `GET /api/v1/tasks` and `/status/{status}`: filters, pages, cursors.

use serde_json::{Value, json};

use crate::support::Room;

fn ids(page: &Value) -> Vec<String> {
    page["tasks"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let room = Room::working().await;
    let tasks = json!({"tasks": vec![json!({"module": "noop"}); 7]});
    room.post("/api/v1/tasks/batch", &tasks).await;
    let (mut seen, mut path) = (Vec::new(), "/api/v1/tasks?limit=3".to_owned());
    loop {
        let page = room.get(&path).await.json();
        seen.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/tasks?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    let mut newest_first = seen.clone();
    newest_first.sort_by(|a, b| b.cmp(a));
    newest_first.dedup();
    assert_eq!((seen.len(), &seen), (7, &newest_first));
}

#[tokio::test]
async fn every_filter_counts() {
    let room = Room::working().await;
    room.deployed("other", "1.0.0").await;
    room.submitted(&json!({"module": "noop", "queue": "a", "labels": {"team": "blue", "env": "x:y"}})).await;
    room.submitted(&json!({"module": "other", "queue": "b", "labels": {"team": "red"}})).await;
    room.submitted(&json!({"module": "noop", "delay_ms": 1_000})).await;
    for (query, count) in [
        ("", 3),
        ("?module=noop", 2),
        ("?queue=b", 1),
        ("?status=scheduled", 1),
        ("?label=team:blue", 1),
        ("?label=env:x:y", 1),
        ("?module=noop&status=queued&queue=a&label=team:blue", 1),
        ("?module=other&queue=a", 0),
        ("/status/queued", 2),
        ("/status/scheduled?module=noop", 1),
    ] {
        let page = room.get(&format!("/api/v1/tasks{query}")).await.json();
        assert_eq!(ids(&page).len(), count, "{query}");
    }
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let room = Room::new().await;
    for (query, word) in [
        ("colour=red", "colour"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("label=nocolon", "label"),
        ("module=A%20B", "module"),
        ("queue=..", "queue"),
    ] {
        let problem = room.get(&format!("/api/v1/tasks?{query}")).await.problem(400, "invalid_query");
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    room.get("/api/v1/tasks?cursor=%21%21").await.problem(400, "invalid_cursor");
    room.get("/api/v1/tasks?cursor=AAAA").await.problem(400, "invalid_cursor");
    room.get("/api/v1/tasks/status/queued?status=failed").await.problem(400, "invalid_query");
}

#[tokio::test]
async fn an_unknown_status_lists_what_there_is() {
    let room = Room::new().await;
    let typo = room.get("/api/v1/tasks/status/quued").await.problem(404, "unknown_status");
    assert!(typo["hint"].as_str().unwrap().contains("queued"), "{typo}");
    let odd = room.get("/api/v1/tasks?status=zzz").await.problem(404, "unknown_status");
    assert!(odd["hint"].as_str().unwrap().contains("succeeded"), "{odd}");
}
