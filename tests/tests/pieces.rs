//! Large payloads and results piece by piece, and files that are shipped with a module, over real processes behind their walls.
#![expect(clippy::indexing_slicing, reason = "a missing field of a JSON answer is null, which the story then refuses")]

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tasklane_domain::assets::Archive;
use tasklane_tests::{Cluster, ClusterSettings, guest};

const MIB: usize = 1024 * 1024;
/// Memory of a guest that passes 20 MiB on.
const SMALL_MEMORY_BYTES: u64 = 4 * 1024 * 1024;

fn content(bytes: usize) -> Vec<u8> {
    b"abcdefghij".iter().copied().cycle().take(bytes).collect()
}

async fn cluster() -> anyhow::Result<Cluster> {
    let cluster = Cluster::start(ClusterSettings::default()).await?;
    let wasm = guest("wasm32-wasip2", "fixture_pieces.wasm")?;
    let pieces = |name: &str, payload: &str| {
        json!({"name": name, "version": "1.0.0", "payload": payload, "permissions": {"blobs": ["read", "write"]},
            "limits": {"memory_bytes": SMALL_MEMORY_BYTES}})
    };
    cluster.client.deploy_with(pieces("shout", "blob"), &wasm).await?;
    cluster.client.deploy_with(pieces("pieces", "argument"), &wasm).await?;
    Ok(cluster)
}

async fn succeeded(cluster: &Cluster, id: &str) -> anyhow::Result<Value> {
    let task = cluster.client.ended(id).await.map_err(|error| error.context(cluster.outputs()))?;
    ensure!(task["state"] == "succeeded", "{task}\n{}", cluster.outputs());
    Ok(task)
}

#[tokio::test]
async fn what_one_writes_another_reads_in_parts() -> anyhow::Result<()> {
    let cluster = cluster().await?;
    let input = content(20 * MIB);
    let blob = cluster.client.upload("/api/v1/blobs", input.clone()).await?;
    let open = |of: &str| json!({"do": "open", "of": of, "offset": 10 * MIB, "length": 5});
    let tasks = json!({"tasks": [
        {"name": "shout", "module": "shout", "payload_blob": blob["digest"]},
        {"name": "reader", "module": "pieces", "after": ["shout"], "payload": open("shout")},
        {"name": "stranger", "module": "pieces", "payload": open("shout")},
    ]});
    let batch = cluster.client.post("/api/v1/tasks/batch", &tasks).await?;
    let id = |number: usize| batch["tasks"][number]["id"].as_str().context("an id");
    succeeded(&cluster, id(0)?).await?;
    let written = cluster.client.bytes(&format!("/api/v1/tasks/{}/result", id(0)?)).await?;
    ensure!(written == input.to_ascii_uppercase(), "{} bytes came back", written.len());
    succeeded(&cluster, id(1)?).await?;
    let read = cluster.client.text(&format!("/api/v1/tasks/{}/result", id(1)?)).await?;
    let at = 10 * MIB % 10;
    assert_eq!(read, format!("5 of {}: {}", 20 * MIB, &"ABCDEFGHIJABCDE"[at..at + 5]));
    succeeded(&cluster, id(2)?).await?;
    let denied = cluster.client.text(&format!("/api/v1/tasks/{}/result", id(2)?)).await?;
    assert!(denied.starts_with("access-denied: "), "{denied}");
    Ok(())
}

#[tokio::test]
async fn commands_and_their_assets_behind_walls() -> anyhow::Result<()> {
    let mut cluster = cluster().await?;
    let mut archive = Archive::default();
    archive.add("a.txt", "what was shipped\n".into())?;
    archive.add("deep/b.bin", content(3 * MIB).into())?;
    for (target, version) in [("wasm32-wasip1", "1.0.0"), ("wasm32-wasip2", "2.0.0")] {
        let manifest = json!({"name": "reader", "version": version, "assets": {},
            "command": {"args": ["cat", "/assets/a.txt"]}});
        let wasm = guest(target, "fixture-reader.wasm")?;
        let deployed = cluster.client.deploy_with_assets(manifest, &archive.to_bytes(), &wasm).await?;
        assert_eq!(deployed["manifest"]["assets"]["stored"]["files"], 2);
    }
    for round in ["as they were deployed", "after JetStream and a host were lost"] {
        for version in ["1.0.0", "2.0.0"] {
            let id = cluster.client.submit(&json!({"module": format!("reader@{version}")})).await?;
            succeeded(&cluster, &id).await?;
            let read = cluster.client.text(&format!("/api/v1/tasks/{id}/result")).await?;
            assert_eq!(read, "what was shipped\n", "{version} {round}");
        }
        cluster.nats.wipe_and_restart().await?;
        cluster.hosts[0].kill()?;
        cluster.add_host()?;
    }
    Ok(())
}
