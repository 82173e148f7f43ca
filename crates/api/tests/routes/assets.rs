//! Assets of an upload: stored beside the module in one form, part of what a version is, and refused by name where they are hostile.

use bytes::Bytes;
use serde_json::{Value, json};
use tasklane_domain::assets::{ASSET_FILES_MAX, Archive};

use crate::support::{Answer, COMMAND, Room};

/// Where a tar header says what kind of entry it is, and where its name begins.
const KIND: usize = 156;

fn manifest() -> Value {
    json!({"name": "words", "version": "1.0.0", "assets": {"dir": "data"}})
}

fn archive(files: &[(&str, &str)]) -> Bytes {
    let mut archive = Archive::default();
    files.iter().for_each(|(path, text)| archive.add(path, Bytes::copy_from_slice(text.as_bytes())).unwrap());
    archive.to_bytes()
}

async fn deploy(room: &Room, manifest: &Value, archive: &[u8]) -> Answer {
    let manifest = manifest.to_string();
    room.upload(&[("manifest", manifest.as_bytes()), ("assets", archive), ("module", COMMAND)]).await
}

/// The same archive with other bytes in its first header, whose checksum is made right.
fn forged(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut tar = archive(&[("a.txt", "abc")]).to_vec();
    change(&mut tar[..512]);
    tar[148..156].fill(b' ');
    let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar
}

#[tokio::test]
async fn assets_are_stored_shown_and_handed_to_hosts() {
    let room = Room::new().await;
    let archive = archive(&[("a.txt", "abc"), ("deep/b.txt", "defg")]);
    let created = deploy(&room, &manifest(), &archive).await;
    assert_eq!(created.status, 201, "{}", created.text());
    let stored = &created.json()["manifest"]["assets"];
    assert_eq!(
        (&stored["path"], &stored["stored"]["files"], &stored["stored"]["size_bytes"]),
        (&json!("/assets"), &json!(2), &json!(7))
    );
    let digest = stored["stored"]["digest"].as_str().unwrap().parse().unwrap();
    let found = room.store.stores.modules.assets(digest).await.unwrap();
    assert!(found.as_ref() == Some(&archive), "in the one form");
    assert_eq!(room.nats.noted().cached_assets, [(digest, archive.clone())]);
    assert_eq!(deploy(&room, &manifest(), &archive).await.status, 200, "again");
    let events = room.get("/api/v1/modules/words/events").await.text();
    assert!(events.contains("assets: /assets (2 files, 7 bytes, read-only)"), "{events}");
}

#[tokio::test]
async fn the_same_files_are_the_same_version_whatever_packed_them() {
    let room = Room::new().await;
    assert_eq!(deploy(&room, &manifest(), &archive(&[("a.txt", "abc")])).await.status, 201);
    let elsewhere = forged(|header| {
        header[..8].copy_from_slice(b"./a.txt\0");
        header[136..147].copy_from_slice(b"14700000000");
        header[108..115].copy_from_slice(b"0001750");
    });
    let again = deploy(&room, &manifest(), &elsewhere).await;
    assert_eq!(again.status, 200, "{}", again.text());
    let other = deploy(&room, &manifest(), &archive(&[("a.txt", "abd")])).await.problem(409, "module_conflict");
    assert!(other["detail"].as_str().unwrap().contains("words"), "{other}");
    deploy(&room, &manifest(), &archive(&[("b.txt", "abc")])).await.problem(409, "module_conflict");
}

#[tokio::test]
async fn a_manifest_and_its_archive_belong_together() {
    let room = Room::new().await;
    let bare = json!({"name": "words", "version": "1.0.0"});
    deploy(&room, &bare, &archive(&[])).await.problem(422, "assets_invalid");
    room.deploy(&manifest(), COMMAND).await.problem(422, "assets_invalid");
    let mut lying = manifest();
    lying["assets"]["stored"] = json!({"digest": format!("sha256:{}", "ab".repeat(32)), "files": 1, "size_bytes": 3});
    let problem = deploy(&room, &lying, &archive(&[("a", "abc")])).await.problem(422, "assets_invalid");
    assert!(problem["detail"].as_str().unwrap().contains("stored"), "{problem}");
    let mut elsewhere = manifest();
    elsewhere["assets"]["path"] = json!("/../etc");
    deploy(&room, &elsewhere, &archive(&[])).await.problem(422, "manifest_invalid");
    assert!(room.get("/api/v1/modules").await.json()["modules"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn hostile_archives_are_refused_by_name() {
    let room = Room::new().await;
    let name = |text: &'static [u8]| move |header: &mut [u8]| header[..text.len()].copy_from_slice(text);
    let kind = |kind: u8| move |header: &mut [u8]| header[KIND] = kind;
    let table: [(Vec<u8>, &str); 10] = [
        (forged(name(b"../../a\0")), "must stay below"),
        (forged(name(b"/etc/a\0")), "must stay below"),
        (forged(name(b"a/../b\0")), "must stay below"),
        (forged(kind(b'2')), "symbolic link"),
        (forged(kind(b'1')), "hard link"),
        (forged(kind(b'3')), "device"),
        (forged(kind(b'L')), "extension"),
        (forged(|header| header[124..135].copy_from_slice(b"77777777777")), "longer than the archive"),
        (b"PK\x03\x04 no tar".to_vec(), "no end"),
        (vec![b'x'; 2_000], "number in a header"),
    ];
    for (archive, what) in table {
        let problem = deploy(&room, &manifest(), &archive).await.problem(422, "assets_invalid");
        assert!(problem["detail"].as_str().unwrap().contains(what), "{what}: {problem}");
    }
    // A header for each of too many empty files.
    let mut many = Vec::new();
    for number in 0..=ASSET_FILES_MAX {
        many.extend_from_slice(&archive(&[(&number.to_string(), "")])[..512]);
    }
    many.resize(many.len() + 1_024, 0);
    deploy(&room, &manifest(), &many).await.problem(413, "assets_too_large");
    assert!(room.get("/api/v1/modules").await.json()["modules"].as_array().unwrap().is_empty());
}
